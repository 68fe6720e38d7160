#include "base/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

#include "base/mapped_file.h"
#include "base/utf8.h"

namespace vlsi {
namespace {

void refuse_duplicate_keys(const YAML::Node& node, const std::string& place) {
  if (node.IsMap()) {
    std::set<std::string> seen;
    for (const auto& item : node) {
      if (!item.first.IsScalar()) fail(place, ": line ", item.first.Mark().line + 1, ": a key is not a word");
      if (!seen.insert(item.first.Scalar()).second) {
        fail(place, ": line ", item.first.Mark().line + 1, ": key '", item.first.Scalar(), "' stands twice");
      }
      refuse_duplicate_keys(item.second, place);
    }
  } else if (node.IsSequence()) {
    for (const auto& item : node) refuse_duplicate_keys(item, place);
  }
}

/// A tag on everything that an override brought, so that messages do not blame a line of the file.
constexpr const char* kOverrideTag = "--set";

void mark_as_override(YAML::Node node) {
  node.SetTag(kOverrideTag);
  for (auto item : node) mark_as_override(node.IsMap() ? item.second : YAML::Node(item));
}

void apply_override(YAML::Node root, const std::string& override) {
  const auto equals = override.find('=');
  if (equals == std::string::npos || equals == 0)
    fail("--set '", override, "': expected key=value, as in optimizer.learning_rate=1e-3");
  const YAML::Node value = parse_yaml(override.substr(equals + 1), "--set " + override);
  mark_as_override(value);
  YAML::Node node = root;
  std::string rest = override.substr(0, equals);
  for (size_t dot; (dot = rest.find('.')) != std::string::npos; rest = rest.substr(dot + 1)) {
    YAML::Node next = node[rest.substr(0, dot)];
    if (next && !next.IsNull() && !next.IsMap())
      fail("--set '", override, "': '", rest.substr(0, dot), "' has no keys inside");
    node.reset(next);
  }
  node[rest] = value;
}

}  // namespace

YAML::Node parse_yaml(const std::string& text, const std::string& place) {
  try {
    if (const auto invalid = find_invalid_utf8(text); invalid != text.npos)
      fail("reading ", place, ": byte ", invalid, " is not UTF-8");
    const auto documents = YAML::LoadAll(text);
    if (documents.size() > 1) fail("reading ", place, ": holds ", documents.size(), " documents, expected one");
    YAML::Node node = documents.empty() ? YAML::Node() : documents[0];
    refuse_duplicate_keys(node, place);
    return node;
  } catch (const YAML::Exception& error) {
    fail("reading ", place, ": line ", error.mark.line + 1, ", column ", error.mark.column + 1, ": ", error.msg);
  }
}

YAML::Node load_yaml(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  const auto file = MappedFile::open(path);
  YAML::Node root = parse_yaml(std::string(file->text()), path.string());
  if (root.IsNull()) root = YAML::Node(YAML::NodeType::Map);
  if (!root.IsMap())
    fail("reading ", path.string(), ": the file is ", settings_detail::describe(root), ", expected keys and values");
  for (const auto& override : overrides) apply_override(root, override);
  return root;
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  size_t fewest = SIZE_MAX;
  for (const auto& candidate : known) {
    std::vector<size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 0; i < word.size(); ++i) {
      size_t diagonal = row[0]++;
      for (size_t j = 0; j < candidate.size(); ++j) {
        const size_t replaced = diagonal + (word[i] != candidate[j]);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() < fewest) fewest = row.back(), best = candidate;
  }
  return best;
}

void SettingsReader::finish() const {
  for (const auto& item : node_) {
    const auto& key = item.first.Scalar();
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const auto& place = item.second.Tag() == kOverrideTag ? item.second : item.first;
    fail(settings_detail::place_of(place, file_, settings_detail::join(prefix_, key)), " is unknown; did you mean '",
         settings_detail::join(prefix_, nearest(key, known_)), "'?");
  }
}

namespace settings_detail {
namespace {

template <class Number>
void read_number(const YAML::Node& node, const std::string& file, const std::string& key, Number& value,
                 const char* expected) {
  if (node.IsScalar()) {
    const auto& text = node.Scalar();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool good = error == std::errc() && end == text.data() + text.size();
    if constexpr (std::floating_point<Number>) good = good && std::isfinite(value);
    if (good) return;
  }
  fail(place_of(node, file, key), " is ", describe(node), ", expected ", expected);
}

}  // namespace

std::string join(const std::string& prefix, const std::string& key) {
  return prefix.empty() ? key : prefix + "." + key;
}

std::string place_of(const YAML::Node& node, const std::string& file, const std::string& key) {
  if (node.Tag() == kOverrideTag) return concat("--set: key '", key, "'");
  const auto mark = node.Mark();
  return mark.line >= 0 ? concat(file, ", line ", mark.line + 1, ": key '", key, "'")
                        : concat(file, ": key '", key, "'");
}

std::string describe(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar: return "'" + node.Scalar() + "'";
    case YAML::NodeType::Sequence: return "a list";
    case YAML::NodeType::Map: return "a block of keys";
    default: return "nothing";
  }
}

void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, bool& value) {
  if (node.IsScalar() && node.Scalar() == "true") return void(value = true);
  if (node.IsScalar() && node.Scalar() == "false") return void(value = false);
  fail(place_of(node, file, key), " is ", describe(node), ", expected true or false");
}
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, int64_t& value) {
  read_number(node, file, key, value, "a whole number");
}
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, uint64_t& value) {
  read_number(node, file, key, value, "a whole number, 0 or more");
}
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, double& value) {
  read_number(node, file, key, value, "a number");
}
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, std::string& value) {
  if (!node.IsScalar()) fail(place_of(node, file, key), " is ", describe(node), ", expected text");
  value = node.Scalar();
}
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key,
                 std::filesystem::path& value) {
  std::string text;
  read_scalar(node, file, key, text);
  value = text;
}

}  // namespace settings_detail
}  // namespace vlsi
