#include "checkpoint/names.h"

#include <array>
#include <string_view>
#include <utility>

namespace vlsi {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kPrefixes{
    {{"visual.", "model.visual."}, {"model.", "model.language_model."}}};  // gen-1, gen-2

}  // namespace

std::string gen1_name(const std::string& name) {
  for (const auto& [older, newer] : kPrefixes) {
    if (name.starts_with(newer)) return std::string(older) + name.substr(newer.size());
  }
  return name;
}

std::string gen2_name(const std::string& name) {
  if (gen1_name(name) != name) return name;
  for (const auto& [older, newer] : kPrefixes) {
    if (name.starts_with(older)) return std::string(newer) + name.substr(older.size());
  }
  return name;
}

}  // namespace vlsi
