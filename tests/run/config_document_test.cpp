// docs/configuration.md against the program: every key, with its default.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <string>

#include "run/config.h"

namespace vlsi {
namespace {

/// The keys of the document's tables, with the text of their defaults; those of optimizer and data with that prefix.
std::map<std::string, std::string> documented_defaults() {
  static const std::regex row(R"(\| ((?:`[a-z0-9_.]+`(?:, )?)+) \|([^|]*)\|.*)"), name("`([^`]+)`");
  std::map<std::string, std::string> defaults;
  std::ifstream file(VLSI_SOURCE_DIR "/docs/configuration.md");
  std::optional<std::string> prefix;  // none: a table of something else
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) {
      prefix = line == "## Keys" ? std::optional("") : line == "### Data" ? std::optional("data.") : std::nullopt;
      if (line == "### Optimizer") prefix = "optimizer.";
    }
    std::smatch match;
    if (!prefix || !std::regex_match(line, match, row)) continue;
    const std::string names = match[1], cell = match[2];
    std::string value;
    for (const char c : cell) value += c == '`' ? "" : std::string(1, c);
    value = value.find_first_not_of(' ') == value.npos ? "" : value.substr(1, value.size() - 2);
    for (auto key = std::sregex_iterator(names.begin(), names.end(), name); key != std::sregex_iterator(); ++key) {
      EXPECT_TRUE(defaults.emplace(*prefix + (*key)[1].str(), value).second) << line << " stands twice";
    }
  }
  return defaults;
}

std::string flow(const YAML::Node& node) {
  if (!node.IsSequence()) return node.Scalar();
  std::string text;
  for (const auto& item : node) text += (text.empty() ? "" : ", ") + item.Scalar();
  return "[" + text + "]";
}

/// A step's own optimizer and data begin as the general ones, whose tables are theirs too.
bool is_of_one_step(const std::string& key) {
  static const std::regex inherited("(verbalize|interact|finetune)\\.(optimizer|data|student_data)");
  return std::regex_match(key, inherited);
}

void collect(const YAML::Node& node, const std::string& prefix, std::map<std::string, std::string>& defaults) {
  for (const auto& item : node) {
    const auto key = prefix + item.first.Scalar();
    if (is_of_one_step(key)) {
      defaults[key] = "";
    } else if (item.second.IsMap()) {
      collect(item.second, key + ".", defaults);
    } else {
      defaults[key] = flow(item.second);
    }
  }
}

bool is_same(const std::string& documented, const std::string& value) {
  if (documented == value) return true;
  char *end = nullptr, *end_of_value = nullptr;
  const double a = std::strtod(documented.c_str(), &end), b = std::strtod(value.c_str(), &end_of_value);
  return !documented.empty() && !value.empty() && *end == '\0' && *end_of_value == '\0' && a == b;
}

TEST(ConfigurationDocument, HasEveryKeyWithItsDefaultAndNoOther) {
  auto documented = documented_defaults();
  std::map<std::string, std::string> defaults;
  collect(parse_yaml(write_settings(RunConfig{}), "defaults"), "", defaults);
  EXPECT_GT(defaults.size(), 50U);
  for (const char* group : {"data", "optimizer"}) documented.erase(group);  // rows that point to their tables
  for (const auto& [key, value] : defaults) {
    const auto found = documented.find(key);
    if (found == documented.end()) {
      ADD_FAILURE() << "docs/configuration.md does not have " << key;
      continue;
    }
    EXPECT_TRUE(is_same(found->second, value)) << key << " is " << value << ", the document has " << found->second;
    documented.erase(found);
  }
  for (const auto& [key, value] : documented)
    ADD_FAILURE() << "docs/configuration.md has " << key << ", the program does not";
}

/// Visits every field for the words that it may hold.
struct Words {
  std::vector<std::string> words;

  template <class T>
  void operator()(const char*, T& value, const std::string&) {
    if constexpr (std::is_enum_v<T>) {
      for (const auto& known : EnumNames<T>::all) words.emplace_back(known.name);
    } else if constexpr (requires { T::table(); }) {
      for (const auto& entry : T::table()) words.push_back(entry.name);
    } else if constexpr (settings_detail::Struct<T>) {
      fields(*this, value);
    }
  }
};

TEST(ConfigurationDocument, NamesEveryWordThatAFieldMayHold) {
  std::ifstream file(VLSI_SOURCE_DIR "/docs/configuration.md");
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  RunConfig config;
  Words words;
  fields(words, config);
  for (const auto& part : part_names()) words.words.push_back(part);
  EXPECT_GT(words.words.size(), 30U);
  for (const auto& word : words.words)
    EXPECT_NE(document.find("`" + word + "`"), document.npos) << "docs/configuration.md does not have " << word;
}

}  // namespace
}  // namespace vlsi
