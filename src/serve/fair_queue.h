// A bounded queue in which clients take turns.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace vlsi {

/// Used by one thread at a time.
template <class Item>
class FairQueue {
 public:
  explicit FairQueue(size_t capacity) : capacity_(capacity) {}

  /// False, and nothing changes, when the queue is full.
  bool push(const std::string& client, Item item) {
    if (size_ == capacity_) return false;
    auto line = lines_.begin();
    while (line != lines_.end() && line->client != client) ++line;
    if (line == lines_.end()) line = lines_.insert(line, {client, {}});
    line->items.push_back(std::move(item));
    ++size_;
    return true;
  }

  /// The oldest item of the client whose turn it is; it is the last one's turn then.
  std::optional<Item> pop() {
    if (lines_.empty()) return std::nullopt;
    auto line = std::move(lines_.front());
    lines_.pop_front();
    Item item = std::move(line.items.front());
    line.items.pop_front();
    --size_;
    if (!line.items.empty()) lines_.push_back(std::move(line));
    return item;
  }

  template <class Predicate>
  void erase_if(const Predicate& is_unwanted) {
    size_ = 0;
    for (auto& line : lines_) {
      std::erase_if(line.items, is_unwanted);
      size_ += line.items.size();
    }
    std::erase_if(lines_, [](const Line& line) { return line.items.empty(); });
  }

  size_t size() const { return size_; }
  size_t num_free() const { return capacity_ - size_; }

 private:
  struct Line {
    std::string client;
    std::deque<Item> items;  // never empty
  };
  const size_t capacity_;
  size_t size_ = 0;
  std::deque<Line> lines_;  // the next client's first
};

}  // namespace vlsi
