#include "text/vocabulary.h"

#include <functional>

namespace vlsi {

Vocabulary::Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)), table_(tokens_.size()) {
  const std::hash<std::string_view> hash;
  for (int32_t id = 0; id < size(); ++id) {
    const auto& token = tokens_[id];
    if (!token.empty()) table_.insert(hash(token), id, [&](int32_t other) { return tokens_[other] == token; });
  }
}

std::optional<int32_t> Vocabulary::find(std::string_view bytes) const {
  const std::hash<std::string_view> hash;
  const int32_t id = table_.find(hash(bytes), [&](int32_t other) { return tokens_[other] == bytes; });
  return id < 0 ? std::nullopt : std::optional(id);
}

const std::string& Vocabulary::bytes(int32_t id) const {
  static const std::string none;
  return id >= 0 && id < size() ? tokens_[id] : none;
}

}  // namespace vlsi
