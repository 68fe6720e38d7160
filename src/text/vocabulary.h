// The tokens of a vocabulary as bytes, found by id or by content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vlsi {

/// Ids without a token (gaps) have no bytes. Immutable after construction.
class Vocabulary {
 public:
  Vocabulary() = default;
  /// `tokens` by id; the contents that are not empty differ from one another.
  explicit Vocabulary(std::vector<std::string> tokens);

  std::optional<int32_t> find(std::string_view bytes) const;
  /// "" for gaps and for ids outside.
  const std::string& bytes(int32_t id) const;
  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }

 private:
  std::vector<std::string> tokens_;
  std::vector<int32_t> slots_;  // open addressing, -1 is free; a power of two
};

}  // namespace vlsi
