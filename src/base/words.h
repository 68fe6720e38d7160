// Types whose values are words: as settings, JSON and command lines write them, and as help and errors list them.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace vlsi {

/// A value of an enum, its name, and what it means where the name alone does not say it.
template <class E>
struct EnumName {
  std::string_view name;
  E value;
  std::string_view meaning = {};
};

/// Specialise for an enum: `static constexpr EnumName<E> all[]{{"word", E::kValue}, ...}`.
template <class E>
struct EnumNames;

/// `T::parse(text)`, empty for what is none; `text()`, which reads back; and what a message says was expected. One of a
/// table (base/table.h) has `T::table()`, too.
template <class T>
concept ParsesItself = requires(const T& value, const std::string& text) {
  { T::parse(text) } -> std::same_as<std::optional<T>>;
  { value.text() } -> std::convertible_to<std::string>;
  { T::expected() } -> std::convertible_to<std::string>;
};

template <class T>
concept HasWords = std::is_enum_v<T> || ParsesItself<T>;

/// The value that `text` is; Error "<what> is 'text', expected ..." where it is none.
template <HasWords T>
T parse_or_fail(const std::string& text, const std::string& what) {
  if constexpr (std::is_enum_v<T>) {
    std::string names;
    for (const auto& known : EnumNames<T>::all) {
      if (known.name == text) return known.value;
      names += concat(names.empty() ? "" : ", ", known.name);
    }
    fail(what, " is '", text, "', expected one of ", names);
  } else {
    const auto value = T::parse(text);
    if (!value) fail(what, " is '", text, "', expected ", T::expected());
    return *value;
  }
}

template <HasWords T>
std::string text_of(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    for (const auto& known : EnumNames<T>::all) {
      if (known.value == value) return std::string(known.name);
    }
    return {};
  } else {
    return value.text();
  }
}

/// What a T may be, for help: "a | b"; where the words have meanings "a: meaning", with `between` between them.
template <HasWords T>
std::string words_of(const char* between = "\n") {
  const auto list = [&](const auto& entries) {
    std::string words, meanings;
    for (const auto& entry : entries) {
      words += concat(words.empty() ? "" : " | ", entry.name);
      if (!entry.meaning.empty()) meanings += concat(meanings.empty() ? "" : between, entry.name, ": ", entry.meaning);
    }
    return meanings.empty() ? words : meanings;
  };
  if constexpr (std::is_enum_v<T>) {
    return list(EnumNames<T>::all);
  } else if constexpr (requires { T::table(); }) {
    return list(T::table());
  } else {
    return T::expected();
  }
}

}  // namespace vlsi
