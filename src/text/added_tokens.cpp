#include "text/added_tokens.h"

#include <algorithm>

namespace vlsi {

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) {
    if (first_bytes_.find(token.content[0]) == std::string::npos) first_bytes_.push_back(token.content[0]);
  }
}

std::optional<AddedTokens::Match> AddedTokens::find_in(std::string_view text, size_t begin) const {
  if (tokens_.empty()) return std::nullopt;
  while ((begin = text.find_first_of(first_bytes_, begin)) != std::string_view::npos) {
    if (const auto match = longest_at(text, begin)) return match;
    ++begin;
  }
  return std::nullopt;
}

std::optional<AddedTokens::Match> AddedTokens::longest_at(std::string_view text, size_t begin) const {
  std::optional<Match> longest;
  auto first = tokens_.begin();
  auto last = tokens_.end();
  // [first, last) agree with the text in all bytes before `length`; the one that ends here, if any, is the first.
  for (size_t length = 0; first != last; ++length) {
    if (first->content.size() == length) {
      longest = {begin, begin + length, first->id, first->special};
      ++first;
    }
    if (begin + length == text.size()) break;
    const auto byte = static_cast<unsigned char>(text[begin + length]);
    const auto byte_of = [&](const AddedToken& token) { return static_cast<unsigned char>(token.content[length]); };
    first = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) < byte; });
    last = std::partition_point(first, last, [&](const AddedToken& token) { return byte_of(token) == byte; });
  }
  return longest;
}

}  // namespace vlsi
