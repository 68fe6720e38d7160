#include "base/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

#include "base/contains.h"
#include "base/mapped_file.h"
#include "base/utf8.h"

namespace vlsi {
namespace {

constexpr int64_t kMostValues = 100000;

/// Gives every alias of a document values of its own: a change of one place is then a change of that place alone. Error
/// for keys that stand twice or are no words, for an alias inside of what it names, and for a document that has more
/// than kMostValues with what its aliases repeat.
class AliasExpansion {
 public:
  explicit AliasExpansion(std::string place) : place_(std::move(place)) {}

  /// `node` was not seen before; `line` is where it stands.
  void expand(YAML::Node node, int line) {
    count(line);
    if (node.IsScalar() || node.IsNull()) return;
    path_.push_back(node);
    node.IsMap() ? expand_map(node) : expand_list(node, line);
    path_.pop_back();
  }

 private:
  void expand_map(YAML::Node& node) {
    std::set<std::string> keys;
    std::vector<std::pair<YAML::Node, YAML::Node>> own;  // for the aliases
    for (const auto& item : node) {
      const int line = item.first.Mark().line + 1;
      if (!item.first.IsScalar()) fail(place_, ": line ", line, ": a key is not a word");
      if (!keys.insert(item.first.Scalar()).second)
        fail(place_, ": line ", line, ": key '", item.first.Scalar(), "' stands twice");
      seen_.insert({item.first.Mark().pos, item.first.Type()});
      if (const auto copied = expand_item(item.second, line)) own.emplace_back(item.first, *copied);
    }
    for (const auto& [key, value] : own) {
      node.remove(key);
      node.force_insert(key, value);
    }
  }

  void expand_list(YAML::Node& node, int line) {
    std::vector<YAML::Node> items;
    bool has_alias = false;
    for (const auto& item : node) {
      const auto copied = expand_item(item, line);
      has_alias = has_alias || copied;
      items.push_back(copied ? *copied : YAML::Node(item));
    }
    if (!has_alias) return;
    node = YAML::Node(YAML::NodeType::Sequence);
    for (const auto& item : items) node.push_back(item);
  }

  /// A copy of what is there already, under an anchor; nothing of what stands here for the first time, and is expanded.
  std::optional<YAML::Node> expand_item(const YAML::Node& item, int line) {
    for (const auto& around : path_) {
      if (around.is(item)) fail(place_, ": line ", line, ": an alias stands inside of what it names");
    }
    // No two values of one type begin at one place of the text. A list that was put together here has no place.
    const auto mark = item.Mark();
    if (!mark.is_null() && seen_.insert({mark.pos, item.Type()}).second) {
      expand(item, line);
      return std::nullopt;
    }
    return copy(item, line);
  }

  YAML::Node copy(const YAML::Node& node, int line) {
    count(line);
    YAML::Node result(node.Type());
    if (node.IsScalar()) result = node.Scalar();
    for (const auto& item : node) {
      if (node.IsMap()) {
        result.force_insert(item.first.Scalar(), copy(item.second, line));
      } else {
        result.push_back(copy(item, line));
      }
    }
    result.SetTag(node.Tag());
    return result;
  }

  void count(int line) {
    if (++num_values_ > kMostValues)
      fail(place_, ": line ", line, ": there are more than ", kMostValues, " values with what aliases repeat");
  }

  std::string place_;
  std::vector<YAML::Node> path_;  // of lists and blocks, from the outermost
  std::set<std::pair<int, YAML::NodeType::value>> seen_;
  int64_t num_values_ = 0;
};

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
  const auto parsed = parse_yaml(override.substr(equals + 1), "--set " + override);
  const YAML::Node value = parsed.IsNull() ? YAML::Node(YAML::NodeType::Null) : parsed;  // one that holds the tag
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
    AliasExpansion(place).expand(node, node.Mark().line + 1);
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
    if (contains(known_, key)) continue;
    std::vector<std::string> with_this_end;
    for (const auto& known : with_nested_) {
      if (known.ends_with("." + key)) with_this_end.push_back(known);
    }
    const auto& place = settings_detail::is_override(item.second) ? item.second : item.first;
    fail(settings_detail::place_of(place, file_, settings_detail::join(prefix_, key)), " is unknown; did you mean '",
         settings_detail::join(prefix_, nearest(key, with_this_end.empty() ? known_ : with_this_end)), "'?");
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

bool is_override(const YAML::Node& node) { return node.Tag() == kOverrideTag; }

std::string place_of(const YAML::Node& node, const std::string& file, const std::string& key) {
  if (is_override(node)) return concat("--set: key '", key, "'");
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
