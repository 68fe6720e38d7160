#include "family/weight_names.h"

#include <c10/util/Exception.h>

namespace vlsi {
namespace {

/// `name` with `to` in the place of the prefix `from`; a prefix without its dot stands for the module itself.
std::optional<std::string> renamed(std::string_view name, std::string_view from, std::string_view to) {
  if (name.starts_with(from)) return std::string(to).append(name.substr(from.size()));
  if (from.ends_with('.') && name == from.substr(0, from.size() - 1))
    return std::string(to.substr(0, to.empty() ? 0 : to.size() - 1));
  return std::nullopt;
}

}  // namespace

std::optional<std::string> own_name(const WeightNames& names, std::string_view stored) {
  for (const auto& [from, to] : names.prefixes) {
    if (auto own = renamed(stored, from, to)) return to.empty() ? std::string() : own;
  }
  return std::nullopt;
}

std::string stored_name(const WeightNames& names, std::string_view own) {
  for (const auto& [to, from] : names.prefixes) {
    if (from.empty()) continue;
    if (auto stored = renamed(own, from, to)) return *stored;
  }
  TORCH_CHECK(false, "no stored name for ", own);
}

}  // namespace vlsi
