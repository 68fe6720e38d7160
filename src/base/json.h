// JSON from outside: parsed strictly, read through typed accessors whose errors name file and key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/words.h"

namespace vlsi {

using Json = nlohmann::json;
/// Keeps the order of its keys; for writing.
using OrderedJson = nlohmann::ordered_json;

/// Parses strictly: a byte-order mark is passed over; invalid UTF-8, trailing text, duplicate keys and nesting deeper
/// than 512 are an Error naming `place`, line and column.
Json parse_json(std::string_view text, const std::string& place);

/// parse_json of a file's content.
Json read_json(const std::filesystem::path& path);

/// Writes `value` with 2-space indent and a final newline, atomically.
void write_json(const std::filesystem::path& path, const OrderedJson& value);

/// What a JSON value is, in words: "a string", "an array", "nothing" for a null pointer.
std::string describe(const Json& value);

/// `find<T>(object, key, place)`: the value at `key`, converted to T (bool, int64_t, double, std::string, std::vector
/// of these, or Json for any); std::nullopt when the key is absent or null. Wrong type, a number that does not fit, or
/// `object` not being an object: Error "<place>: key 'key' is a string, expected an integer".
template <class T>
struct Find {
  std::optional<T> operator()(const Json& object, const std::string& key, const std::string& place) const;
};

/// An enum with names, or a type that parses itself, from a string; another text is an Error that says what was
/// expected.
template <HasWords T>
struct Find<T> {
  std::optional<T> operator()(const Json& object, const std::string& key, const std::string& place) const {
    const auto text = Find<std::string>()(object, key, place);
    if (!text) return std::nullopt;
    return parse_or_fail<T>(*text, concat(place, ": key '", key, "'"));
  }
};

/// An object, not a function template: for that, a call with strings would be ambiguous with std::find.
template <class T>
inline constexpr Find<T> find{};

/// As `find`, but an absent key is an Error too.
template <class T>
T require(const Json& object, const std::string& key, const std::string& place) {
  auto value = find<T>(object, key, place);
  if (!value) fail(place, ": key '", key, "' is missing");
  return *std::move(value);
}

/// Error naming `place` when the key `format` of a file that this program wrote is not `expected` (a file without it
/// has format 1); `remedy` says what to do with such a file.
void check_format(const Json& json, int64_t expected, const std::string& place, const std::string& remedy);

}  // namespace vlsi
