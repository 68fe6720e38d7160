#include "base/settings_difference.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/contains.h"
#include "base/settings.h"

namespace vlsi {
namespace {

using Values = std::vector<std::pair<std::string, std::string>>;  // key, value; in the order of the text

/// Every value below `node` with its key: of a list, each entry's. An empty block, or an empty list, is a value of its
/// own.
void flatten(const YAML::Node& node, const std::string& key, Values& values) {
  if (node.IsMap() && node.size() > 0) {
    for (const auto& item : node) flatten(item.second, settings_detail::join(key, item.first.Scalar()), values);
  } else if (node.IsSequence() && node.size() > 0) {
    for (size_t i = 0; i < node.size(); ++i) flatten(node[i], concat(key, '[', i, ']'), values);
  } else if (node.IsScalar()) {
    values.emplace_back(key, concat('\'', node.Scalar(), '\''));
  } else if (!node.IsNull()) {
    values.emplace_back(key, node.IsMap() ? "{}" : "[]");
  }
}

std::string value_of(const Values& values, const std::string& key) {
  const auto found = std::find_if(values.begin(), values.end(), [&](const auto& item) { return item.first == key; });
  return found == values.end() ? "nothing" : found->second;
}

}  // namespace

std::string settings_difference(const YAML::Node& before, const YAML::Node& now,
                                const std::vector<std::string>& free_keys) {
  Values was, is;
  flatten(before, "", was);
  flatten(now, "", is);
  auto keys = is;
  for (const auto& item : was) {
    if (value_of(is, item.first) == "nothing") keys.push_back(item);
  }
  std::vector<std::pair<std::string, std::string>> groups;  // both values, the keys that have them
  for (const auto& [key, unused] : keys) {
    const auto a = value_of(was, key), b = value_of(is, key);
    if (a == b || contains(free_keys, key)) continue;
    const auto values = concat(a, ", now ", b);
    const auto group =
        std::find_if(groups.begin(), groups.end(), [&](const auto& item) { return item.first == values; });
    if (group == groups.end()) {
      groups.emplace_back(values, key);
    } else {
      group->second += ", " + key;
    }
  }
  std::string text;
  for (const auto& [values, group] : groups) text += concat(text.empty() ? "" : "; ", group, ": ", values);
  return text;
}

}  // namespace vlsi
