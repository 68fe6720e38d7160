// Finds the added tokens ("<|im_end|>") in text: at each place from left to right the longest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vlsi {

/// An entry of "added_tokens" of tokenizer.json, or of "added_tokens_decoder" of tokenizer_config.json.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;
  bool normalized = false;  // looked for in the normalised text, not in the raw one
};

class AddedTokens {
 public:
  struct Match {
    size_t begin, end;
    int32_t id;
    bool special;
  };

  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  /// The first match at or after `begin`.
  std::optional<Match> find_in(std::string_view text, size_t begin) const;
  bool empty() const { return tokens_.empty(); }

 private:
  std::optional<Match> longest_at(std::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;  // sorted by content
  std::string first_bytes_;         // each once
};

}  // namespace vlsi
