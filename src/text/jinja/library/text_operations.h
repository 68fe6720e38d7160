// Python's operations on str, for texts with origins.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/context.h"
#include "text/jinja/traced_text.h"

namespace vlsi {

enum class TextEnds { kBoth, kLeft, kRight };

/// Without the characters of `characters` at its ends; without white space where it is empty.
TracedText stripped(const TracedText& text, TextEnds ends, const std::optional<std::string>& characters = {});

/// At most `max_splits` cuts (any number if it is negative), from the left or the right. Without a separator, at white
/// space, and without empty parts. An empty separator is an Error.
std::vector<TracedText> split(JinjaContext& context, const TracedText& text,
                              const std::optional<std::string>& separator, int64_t max_splits, TextEnds from);
/// At Python's line ends, which stay where `keep_ends` is true.
std::vector<TracedText> split_lines(const TracedText& text, bool keep_ends);
TracedText joined(const std::vector<TracedText>& parts, const TracedText& separator);

/// The first `max_count` places (all, if it is negative) of `old` replaced.
TracedText replaced(JinjaContext& context, const TracedText& text, const std::string& old, const TracedText& by,
                    int64_t max_count);

/// Where `part` first (or last) stands in the bytes [begin, end) of `text`; npos where it does not.
size_t find_first(const TracedText& text, std::string_view part, size_t begin, size_t end);
size_t find_last(JinjaContext& context, const TracedText& text, std::string_view part, size_t begin, size_t end);

/// Each character as `form` writes it. `starts_word` is true for a letter behind what is none, and `is_first` for the
/// first of all.
struct CharacterPlace {
  bool is_first, starts_word;
};
TracedText with_forms(const TracedText& text, const std::function<std::string(char32_t, CharacterPlace)>& form);
TracedText uppercase(const TracedText& text);
TracedText lowercase(const TracedText& text);
TracedText capitalized(const TracedText& text);

/// Each character that has a meaning in HTML as its reference. What is markup stays as it is.
TracedText html_escaped(const TracedText& text);

/// With `fill` (one character) before and behind, up to `width` characters. `left` of the missing ones, as a function
/// of their number and of the width, go to the left.
TracedText padded(JinjaContext& context, const TracedText& text, int64_t width, std::string_view fill,
                  size_t (*left)(size_t missing, size_t width));
/// `left` of str.center.
size_t left_of_centre(size_t missing, size_t width);

}  // namespace vlsi
