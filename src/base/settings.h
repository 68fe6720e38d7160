// Configuration structs from YAML, back to YAML, and as help, through one list of fields a struct.
//
// A struct `C` takes part by a function beside it that names its fields:
//     template <class Visitor>
//     void fields(Visitor& v, OptimizerConfig& c) {
//       v("learning_rate", c.learning_rate, "peak learning rate");
//     }
// A field is a bool, a number, a string, a path, an enum with `EnumNames`, a type that parses itself (base/words.h), a
// struct with `fields`, or a std::vector or std::optional of these.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/number_text.h"
#include "base/words.h"

namespace vlsi {

/// The YAML of a file, with `overrides` ("a.b=value", value as YAML) put in. An alias is a copy of what its anchor
/// names, so that an override changes one place. Error naming path and line for bad YAML, what is not UTF-8, several
/// documents, an override without '=', duplicate keys, an alias inside of what it names, and more than 100,000 values.
YAML::Node load_yaml(const std::filesystem::path& path, const std::vector<std::string>& overrides);
YAML::Node parse_yaml(const std::string& text, const std::string& place);

/// The entry of `known` with the fewest edits from `word`, for "did you mean".
std::string nearest(const std::string& word, const std::vector<std::string>& known);

namespace settings_detail {

struct Ignore {
  template <class T>
  void operator()(const char*, T&, const std::string&) {}
};
template <class T>
concept Struct = requires(Ignore& v, T& c) {
  fields(v, c);
};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

/// words_of a field, or of a list's items; empty where it is not a matter of words.
template <class T>
std::string words_of_field() {
  if constexpr (IsVector<T>::value || IsOptional<T>::value) {
    return words_of_field<typename T::value_type>();
  } else if constexpr (HasWords<T>) {
    return words_of<T>();
  } else {
    return {};
  }
}

std::string place_of(const YAML::Node& node, const std::string& file, const std::string& key);
bool is_override(const YAML::Node& node);
std::string describe(const YAML::Node& node);
std::string join(const std::string& prefix, const std::string& key);

void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, bool& value);
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, int64_t& value);
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, uint64_t& value);
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, double& value);
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, std::string& value);
void read_scalar(const YAML::Node& node, const std::string& file, const std::string& key, std::filesystem::path& value);

}  // namespace settings_detail

/// Error "<place>: key '<key>' is <value>, expected <expected>" unless it `holds`.
template <class Value>
void expect_value(bool holds, const std::string& place, const std::string& key, const Value& value,
                  const std::string& expected) {
  if (!holds) fail(place, ": key '", key, "' is ", value, ", expected ", expected);
}

namespace settings_detail {

/// Appends the keys of a struct and of the structs in it: "optimizer", "optimizer.warmup".
struct KeyList {
  std::string prefix;
  std::vector<std::string>& keys;

  template <class T>
  void operator()(const char* key, T& value, const std::string&) {
    keys.push_back(join(prefix, key));
    if constexpr (Struct<T>) {
      KeyList inner{keys.back(), keys};
      fields(inner, value);
    }
  }
};

}  // namespace settings_detail

/// Reads structs; collects the keys that it was asked for, so that others are errors. A key without a value (`key:`) is
/// as if it were not there. From an override (`--set key=`) it is an empty text, an optional value that is missing, or
/// a struct that is as if it were not there; Error for a field of another kind.
class SettingsReader {
 public:
  SettingsReader(YAML::Node node, std::string file, std::string prefix = {})
      : node_(std::move(node)), file_(std::move(file)), prefix_(std::move(prefix)) {}

  template <class T>
  void operator()(const char* key, T& value, const std::string&) {
    known_.push_back(key);
    settings_detail::KeyList{{}, with_nested_}(key, value, {});
    if (!node_.IsMap()) return;
    const YAML::Node found = std::as_const(node_)[key];
    if (!found || (found.IsNull() && !settings_detail::is_override(found))) return;
    const auto full = settings_detail::join(prefix_, key);
    found.IsNull() ? read_nothing(found, full, value) : read(found, full, value);
  }

  /// Error for a key that no field has asked for, with one of the structs inside that ends in it, or the nearest one.
  void finish() const;

  template <class T>
  void read(const YAML::Node& node, const std::string& key, T& value) const {
    using namespace settings_detail;
    if constexpr (IsVector<T>::value) {
      if (!node.IsSequence()) fail(place_of(node, file_, key), " is ", describe(node), ", expected a list");
      value.clear();
      for (size_t i = 0; i < node.size(); ++i) {
        typename T::value_type item{};
        read(node[i], concat(key, '[', i, ']'), item);
        value.push_back(std::move(item));
      }
    } else if constexpr (IsOptional<T>::value) {
      if (!value) value.emplace();
      read(node, key, *value);
    } else if constexpr (HasWords<T>) {
      std::string text;
      read_scalar(node, file_, key, text);
      value = parse_or_fail<T>(text, place_of(node, file_, key));
    } else if constexpr (Struct<T>) {
      if (!node.IsMap()) fail(place_of(node, file_, key), " is ", describe(node), ", expected keys and values");
      SettingsReader inner(node, file_, key);
      fields(inner, value);
      inner.finish();
    } else {
      read_scalar(node, file_, key, value);
    }
  }

 private:
  /// What an override without a value makes of a field.
  template <class T>
  void read_nothing(const YAML::Node& node, const std::string& key, T& value) const {
    using namespace settings_detail;
    if constexpr (std::same_as<T, std::string> || std::same_as<T, std::filesystem::path>) {
      value.clear();
    } else if constexpr (IsOptional<T>::value) {
      value.reset();
    } else if constexpr (HasWords<T>) {
      value = parse_or_fail<T>("", place_of(node, file_, key));
    } else if constexpr (!Struct<T>) {
      read(node, key, value);  // an error
    }
  }

  YAML::Node node_;
  std::string file_, prefix_;
  std::vector<std::string> known_, with_nested_;
};

/// Writes every field of a struct as YAML; with comments, the field's meaning stands behind it, and then the words that
/// it may hold.
class SettingsWriter {
 public:
  explicit SettingsWriter(bool with_comments) : with_comments_(with_comments) { emitter_ << YAML::BeginMap; }

  template <class T>
  void operator()(const char* key, T& value, const std::string& meaning) {
    if constexpr (settings_detail::IsOptional<T>::value) {
      if (!value && !with_comments_) return;
    }
    emitter_ << YAML::Key << key << YAML::Value;
    write(value);
    if (with_comments_ && !settings_detail::Struct<T>) {
      const auto words = settings_detail::words_of_field<T>();
      const char* const between = words.find('\n') == words.npos ? ": " : "\n";
      emitter_ << YAML::Comment(words.empty() ? meaning : meaning + between + words);
    }
  }

  std::string finish() {
    emitter_ << YAML::EndMap;
    return emitter_.c_str();
  }

 private:
  template <class T>
  void write(T& value) {
    using namespace settings_detail;
    if constexpr (IsVector<T>::value) {
      emitter_ << YAML::Flow << YAML::BeginSeq;
      for (auto& item : value) write(item);
      emitter_ << YAML::EndSeq;
    } else if constexpr (IsOptional<T>::value) {
      if (value) {
        write(*value);
      } else {
        emitter_ << YAML::Null;
      }
    } else if constexpr (HasWords<T>) {
      emitter_ << text_of(value);
    } else if constexpr (Struct<T>) {
      emitter_ << YAML::BeginMap;
      fields(*this, value);
      emitter_ << YAML::EndMap;
    } else if constexpr (std::same_as<T, std::filesystem::path>) {
      emitter_ << value.string();
    } else if constexpr (std::same_as<T, double>) {
      emitter_ << number_text(value);
    } else {
      emitter_ << value;
    }
  }

  bool with_comments_;
  YAML::Emitter emitter_;
};

/// Reads a whole configuration over its defaults.
template <class Config>
Config read_settings(const YAML::Node& node, const std::string& file, Config config = {}) {
  SettingsReader reader(YAML::Node(), file);
  if (node && !node.IsNull()) reader.read(node, "", config);
  return config;
}

/// The configuration as YAML that reads back to it.
template <class Config>
std::string write_settings(Config config, bool with_comments = false) {
  SettingsWriter writer(with_comments);
  fields(writer, config);
  return writer.finish();
}

}  // namespace vlsi
