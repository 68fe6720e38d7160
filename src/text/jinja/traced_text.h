// Text that knows where each of its bytes comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vlsi {

/// UTF-8 of which every byte has an origin: 0 where a template wrote it, else the number (from 1 to kMaxOrigin) that
/// was given to the string that it comes from; and a mark where it stands in a {% generation %} block.
class TracedText {
 public:
  static constexpr int32_t kMaxOrigin = (1 << 30) - 1;

  TracedText() = default;
  explicit TracedText(std::string bytes, int32_t origin = 0);

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  int32_t origin(size_t index) const { return tag(index) & kMaxOrigin; }
  bool generated(size_t index) const { return tag(index) > kMaxOrigin; }
  /// Bytes of memory that it takes, about.
  size_t num_bytes() const { return bytes_.size() + tags_.size() * sizeof(int32_t); }

  void append(std::string_view bytes, int32_t origin = 0);
  void append(const TracedText& other) { append(other, 0, other.size()); }
  /// The bytes [begin, end) of another text.
  void append(const TracedText& other, size_t begin, size_t end);
  /// Bytes that stand in the place of another text's byte `index`.
  void append_for(const TracedText& other, size_t index, std::string_view bytes);
  /// The bytes [begin, end).
  TracedText slice(size_t begin, size_t end) const;
  void mark_generated();

 private:
  static constexpr int32_t kGenerated = kMaxOrigin + 1;

  int32_t tag(size_t index) const { return tags_.empty() ? 0 : tags_[index]; }

  std::string bytes_;
  std::vector<int32_t> tags_;  // of every byte; empty where all are 0
};

}  // namespace vlsi
