#include "text/jinja/library/text_operations.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "text/jinja/characters.h"

namespace vlsi {
namespace {

/// The bytes [begin, end) of every character.
std::vector<std::pair<size_t, size_t>> character_bounds(std::string_view text) {
  std::vector<std::pair<size_t, size_t>> bounds;
  for (size_t i = 0; i < text.size();) {
    const size_t end = i + next_code_point(text.substr(i)).num_bytes;
    bounds.emplace_back(i, end);
    i = end;
  }
  return bounds;
}

/// Where white space (or other separators) stands: [begin, end) of each, up to `max_count`, from the left.
using Bounds = std::vector<std::pair<size_t, size_t>>;

Bounds separators_of(std::string_view text, std::string_view separator) {
  Bounds found;
  for (size_t i = 0; i < text.size();) {
    const void* next = memmem(text.data() + i, text.size() - i, separator.data(), separator.size());
    if (next == nullptr) break;
    const size_t begin = static_cast<const char*>(next) - text.data();
    found.emplace_back(begin, begin + separator.size());
    i = begin + separator.size();
  }
  return found;
}

Bounds separators_from_right(std::string_view text, std::string_view separator) {
  Bounds found;
  for (size_t end = text.size(); end >= separator.size();) {
    const size_t begin = text.rfind(separator, end - separator.size());
    if (begin == std::string::npos) break;
    found.emplace_back(begin, begin + separator.size());
    end = begin;
  }
  std::reverse(found.begin(), found.end());
  return found;
}

/// The words between white space, of which no more than `max_splits` are cut off, the others staying one.
std::vector<TracedText> split_at_space(const TracedText& text, int64_t max_splits, TextEnds from) {
  Bounds words;
  bool in_word = false;
  for (const auto& [begin, end] : character_bounds(text.bytes())) {
    const bool space = is_space(std::string_view(text.bytes()).substr(begin, end - begin));
    if (!space && !in_word) words.emplace_back(begin, end);
    if (!space) words.back().second = end;
    in_word = !space;
  }
  if (max_splits >= 0 && words.size() > static_cast<size_t>(max_splits) + 1) {
    // Behind (or before) the last cut everything stays, the white space at the far end too.
    if (from == TextEnds::kLeft) {
      words.resize(max_splits + 1);
      words.back().second = text.size();
    } else {
      words.erase(words.begin(), words.end() - (max_splits + 1));
      words.front().first = 0;
    }
  }
  std::vector<TracedText> parts;
  for (const auto& [begin, end] : words) parts.push_back(text.slice(begin, end));
  return parts;
}

bool is_line_end(char32_t c) {
  return (c >= 0xA && c <= 0xD) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

}  // namespace

TracedText stripped(const TracedText& text, TextEnds ends, const std::optional<std::string>& characters) {
  const std::string_view bytes = text.bytes();
  const auto goes = [&](const std::pair<size_t, size_t>& bounds) {
    const auto character = bytes.substr(bounds.first, bounds.second - bounds.first);
    return characters ? characters->find(character) != std::string::npos : is_space(character);
  };
  const auto bounds = character_bounds(bytes);
  auto first = bounds.begin(), last = bounds.end();
  while (ends != TextEnds::kRight && first != last && goes(*first)) ++first;
  while (ends != TextEnds::kLeft && first != last && goes(*(last - 1))) --last;
  return first == last ? TracedText() : text.slice(first->first, (last - 1)->second);
}

std::vector<TracedText> split(JinjaContext& context, const TracedText& text,
                              const std::optional<std::string>& separator, int64_t max_splits, TextEnds from) {
  if (!separator) return split_at_space(text, max_splits, from);
  if (separator->empty()) context.fail("an empty separator");
  if (from == TextEnds::kRight) context.look_at(text.size() * separator->size());
  Bounds cuts = from == TextEnds::kLeft ? separators_of(text.bytes(), *separator)
                                        : separators_from_right(text.bytes(), *separator);
  if (max_splits >= 0 && cuts.size() > static_cast<size_t>(max_splits)) {
    if (from == TextEnds::kLeft)
      cuts.resize(max_splits);
    else
      cuts.erase(cuts.begin(), cuts.end() - max_splits);
  }
  context.make(JinjaLimits::kBytesPerText, cuts.size() + 1);
  std::vector<TracedText> parts;
  size_t begin = 0;
  for (const auto& [cut, next] : cuts) {
    parts.push_back(text.slice(begin, cut));
    begin = next;
  }
  parts.push_back(text.slice(begin, text.size()));
  return parts;
}

std::vector<TracedText> split_lines(const TracedText& text, bool keep_ends) {
  std::vector<TracedText> lines;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = next_code_point(std::string_view(text.bytes()).substr(i));
    const size_t end = i;
    i += step.num_bytes;
    if (!is_line_end(step.code_point)) continue;
    if (step.code_point == '\r' && i < text.size() && text.bytes()[i] == '\n') ++i;
    lines.push_back(text.slice(begin, keep_ends ? i : end));
    begin = i;
  }
  if (begin < text.size()) lines.push_back(text.slice(begin, text.size()));
  return lines;
}

TracedText joined(const std::vector<TracedText>& parts, const TracedText& separator) {
  TracedText result;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) result.append(separator);
    result.append(parts[i]);
  }
  return result;
}

TracedText replaced(JinjaContext& context, const TracedText& text, const std::string& old, const TracedText& by,
                    int64_t max_count) {
  Bounds places;
  if (!old.empty()) {
    places = separators_of(text.bytes(), old);
  } else {  // stands before every character, and at the end
    places = character_bounds(text.bytes());
    for (auto& [begin, end] : places) end = begin;
    places.emplace_back(text.size(), text.size());
  }
  if (max_count >= 0 && places.size() > static_cast<size_t>(max_count)) places.resize(max_count);
  context.make(places.size() * by.num_bytes());
  TracedText result;
  size_t begin = 0;
  for (const auto& [place, next] : places) {
    result.append(text, begin, place);
    result.append(by);
    begin = next;
  }
  result.append(text, begin, text.size());
  return result;
}

size_t find_first(const TracedText& text, std::string_view part, size_t begin, size_t end) {
  if (begin > end) return std::string::npos;
  const void* found = memmem(text.bytes().data() + begin, end - begin, part.data(), part.size());
  return found == nullptr ? std::string::npos : static_cast<const char*>(found) - text.bytes().data();
}

size_t find_last(JinjaContext& context, const TracedText& text, std::string_view part, size_t begin, size_t end) {
  if (begin > end || end - begin < part.size()) return std::string::npos;
  context.look_at((end - begin) * part.size());
  const size_t found = text.bytes().rfind(part, end - part.size());
  return found == std::string::npos || found < begin ? std::string::npos : found;
}

TracedText with_forms(const TracedText& text, const std::function<std::string(char32_t, CharacterPlace)>& form) {
  TracedText result;
  bool behind_letter = false;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = next_code_point(std::string_view(text.bytes()).substr(i));
    const bool letter = is_upper(step.code_point) || is_lower(step.code_point);
    result.append_for(text, i, form(step.code_point, {.is_first = i == 0, .starts_word = letter && !behind_letter}));
    behind_letter = letter;
    i += step.num_bytes;
  }
  return result;
}

TracedText uppercase(const TracedText& text) {
  return with_forms(text, [](char32_t c, CharacterPlace) { return upper(c); });
}

TracedText lowercase(const TracedText& text) {
  return with_forms(text, [](char32_t c, CharacterPlace) { return lower(c); });
}

TracedText capitalized(const TracedText& text) {
  return with_forms(text, [](char32_t c, CharacterPlace place) { return place.is_first ? title(c) : lower(c); });
}

TracedText html_escaped(const TracedText& text) {
  if (text.is_markup()) return text;
  TracedText result = with_forms(text, [](char32_t c, CharacterPlace) -> std::string {
    switch (c) {
      case '&': return "&amp;";
      case '<': return "&lt;";
      case '>': return "&gt;";
      case '\'': return "&#39;";
      case '"': return "&#34;";
      default: break;
    }
    std::string character;
    append_code_point(c, character);
    return character;
  });
  result.set_markup();
  return result;
}

size_t left_of_centre(size_t missing, size_t width) { return missing / 2 + (missing & width & 1); }

TracedText padded(JinjaContext& context, const TracedText& text, int64_t width, std::string_view fill,
                  size_t (*left)(size_t missing, size_t width)) {
  const auto length = static_cast<int64_t>(count_characters(text.bytes()));
  if (width <= length) return text;
  const size_t missing = static_cast<size_t>(width - length), before = left(missing, static_cast<size_t>(width));
  context.make(missing);
  TracedText result;
  for (size_t i = 0; i < before; ++i) result.append(fill);
  result.append(text);
  for (size_t i = before; i < missing; ++i) result.append(fill);
  return result;
}

}  // namespace vlsi
