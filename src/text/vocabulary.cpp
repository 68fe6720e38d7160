#include "text/vocabulary.h"

#include <bit>
#include <functional>

namespace vlsi {

Vocabulary::Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  slots_.assign(std::bit_ceil(2 * tokens_.size() + 1), -1);
  for (size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].empty()) continue;
    size_t slot = std::hash<std::string_view>{}(tokens_[id]) & (slots_.size() - 1);
    while (slots_[slot] >= 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = static_cast<int32_t>(id);
  }
}

std::optional<int32_t> Vocabulary::find(std::string_view bytes) const {
  if (slots_.empty() || bytes.empty()) return std::nullopt;
  for (size_t slot = std::hash<std::string_view>{}(bytes) & (slots_.size() - 1);;
       slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot] < 0) return std::nullopt;
    if (tokens_[slots_[slot]] == bytes) return slots_[slot];
  }
}

const std::string& Vocabulary::bytes(int32_t id) const {
  static const std::string none;
  return id >= 0 && id < size() ? tokens_[id] : none;
}

}  // namespace vlsi
