// The tokens of a vocabulary as bytes, found by id or by content.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/index_table.h"

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
  IndexTable table_;  // of tokens_
};

}  // namespace vlsi
