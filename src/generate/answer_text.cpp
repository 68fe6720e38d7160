#include "generate/answer_text.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace vlsi {
namespace {

/// How many bytes at the end of `text` a stop text begins with.
size_t begun_bytes(std::string_view text, const std::vector<std::string>& stop) {
  size_t longest = 0;
  for (const auto& one : stop) {
    for (size_t count = std::min(one.size() - 1, text.size()); count > longest; --count) {
      if (text.substr(text.size() - count) == std::string_view(one).substr(0, count)) longest = count;
    }
  }
  return longest;
}

}  // namespace

std::string AnswerText::give(std::string certain) {
  text_ += certain;
  return certain;
}

std::string AnswerText::push(int32_t token) {
  if (is_stopped_) return {};
  held_ += stream_.push(token);
  size_t end = std::string::npos;
  for (const auto& one : stop_) end = std::min(end, held_.find(one));
  is_stopped_ = end != std::string::npos;
  if (!is_stopped_) end = held_.size() - begun_bytes(held_, stop_);
  auto certain = held_.substr(0, end);
  held_.erase(0, is_stopped_ ? std::string::npos : end);
  return give(std::move(certain));
}

std::string AnswerText::finish() {
  if (is_stopped_) return {};
  return give(std::exchange(held_, {}) + stream_.finish());
}

}  // namespace vlsi
