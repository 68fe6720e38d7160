// Text that knows where each of its bytes comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vlsi {

/// UTF-8 of which every byte has an origin: 0 where a template wrote it, else the number that was given to the string
/// that it comes from; and a mark where it stands in a {% generation %} block.
class TracedText {
 public:
  /// Bytes behind one another that have the same origin and mark.
  struct Run {
    size_t end;  // the first begins at 0, each other one where the one before it ends
    int32_t origin;
    bool generated;
  };

  TracedText() = default;
  explicit TracedText(std::string_view bytes, int32_t origin = 0) { append(bytes, origin); }

  const std::string& bytes() const { return bytes_; }
  const std::vector<Run>& runs() const { return runs_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  /// Bytes of memory that it takes, about.
  size_t num_bytes() const { return bytes_.size() + runs_.size() * sizeof(Run); }

  void append(std::string_view bytes, int32_t origin = 0) { append_run(bytes, {0, origin, false}); }
  void append(const TracedText& other) { append(other, 0, other.size()); }
  /// The bytes [begin, end) of another text.
  void append(const TracedText& other, size_t begin, size_t end);
  /// Bytes that stand in the place of another text's byte `index`.
  void append_for(const TracedText& other, size_t index, std::string_view bytes);
  /// The bytes [begin, end).
  TracedText slice(size_t begin, size_t end) const;
  void mark_generated();
  /// Whether it counts as HTML, as what `safe` and `escape` give does: adding other text to it escapes that.
  bool is_markup() const { return is_markup_; }
  void set_markup() { is_markup_ = true; }

 private:
  /// The run that the byte stands in.
  std::vector<Run>::const_iterator run_at(size_t index) const;
  void append_run(std::string_view bytes, Run like);

  std::string bytes_;
  std::vector<Run> runs_;
  bool is_markup_ = false;  // kept by copies, not by slices
};

}  // namespace vlsi
