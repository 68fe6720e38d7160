// Filters that make texts.
#include <algorithm>
#include <string>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/library/filters.h"
#include "text/jinja/library/json_text.h"
#include "text/jinja/library/percent_format.h"
#include "text/jinja/library/text_operations.h"
#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

/// What the filter is applied to, as str() gives it.
TracedText filtered_text(const JinjaCall& call) { return printed(call.context, call.self); }

TemplateValue filter_capitalize(JinjaCall& call) { return TemplateValue::text(capitalized(filtered_text(call))); }
TemplateValue filter_lower(JinjaCall& call) { return TemplateValue::text(lowercase(filtered_text(call))); }
TemplateValue filter_upper(JinjaCall& call) { return TemplateValue::text(uppercase(filtered_text(call))); }
TemplateValue filter_string(JinjaCall& call) { return TemplateValue::text(filtered_text(call)); }

/// Words begin behind white space and opening brackets.
TemplateValue filter_title(JinjaCall& call) {
  bool starts_word = true;
  return TemplateValue::text(with_forms(filtered_text(call), [&](char32_t c, CharacterPlace) {
    const bool first = starts_word;
    starts_word = is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    return first ? upper(c) : lower(c);
  }));
}

TemplateValue filter_trim(JinjaCall& call) {
  std::optional<std::string> characters;
  if (call.find(0) && !call.find(0)->is_none()) characters = call.text(0).bytes();
  return TemplateValue::text(stripped(filtered_text(call), TextEnds::kBoth, characters));
}

TemplateValue filter_replace(JinjaCall& call) {
  const TracedText old = printed(call.context, call.value(0)), by = printed(call.context, call.value(1));
  return TemplateValue::text(replaced(call.context, filtered_text(call), old.bytes(), by, call.integer(2, -1)));
}

TemplateValue filter_center(JinjaCall& call) {
  constexpr int64_t kWidth = 80;
  return TemplateValue::text(padded(call.context, filtered_text(call), call.integer(0, kWidth), " ", left_of_centre));
}

TemplateValue filter_escape(JinjaCall& call) { return TemplateValue::text(html_escaped(filtered_text(call))); }

TemplateValue filter_forceescape(JinjaCall& call) {
  TracedText plain;
  plain.append(filtered_text(call));
  return TemplateValue::text(html_escaped(plain));
}

TemplateValue filter_safe(JinjaCall& call) {
  TracedText text = filtered_text(call);
  text.set_markup();
  return TemplateValue::text(std::move(text));
}

TemplateValue filter_format(JinjaCall& call) {
  TemplateDict named;
  for (auto& [name, value] : call.rest.named) named.set(name, value);
  const auto values =
      named.size() > 0
          ? TemplateValue::dict(std::move(named))
          : TemplateValue::sequence({.form = TemplateSequence::Form::kTuple, .items = call.rest.positional});
  return TemplateValue::text(percent_format(call.context, filtered_text(call), values));
}

/// The argument `width` of `indent`: an indentation, or its number of spaces.
TracedText indentation(const JinjaCall& call) {
  constexpr int64_t kWidth = 4;
  if (call.find(0) && call.find(0)->as_text()) return call.text(0);
  const int64_t width = std::max<int64_t>(call.integer(0, kWidth), 0);
  call.context.make(width);
  return TracedText(std::string(width, ' '));
}

TemplateValue filter_indent(JinjaCall& call) {
  const TracedText indent = indentation(call);
  const bool first = call.flag(1, false), blank = call.flag(2, false);
  TracedText text = filtered_text(call);
  text.append("\n");
  const auto lines = split_lines(text, false);
  call.context.make(lines.size() * (1 + indent.num_bytes()));
  TracedText result;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) result.append("\n");
    if (i == 0 ? first : blank || !lines[i].empty()) result.append(indent);
    result.append(lines[i]);
  }
  return TemplateValue::text(std::move(result));
}

TemplateValue filter_truncate(JinjaCall& call) {
  constexpr int64_t kLength = 255, kLeeway = 5;
  const TracedText text = filtered_text(call);
  const TracedText end = call.find(2) ? call.text(2) : TracedText("...");
  const int64_t length = call.integer(0, kLength), leeway = call.integer(3, kLeeway);
  const auto end_length = static_cast<int64_t>(count_characters(end.bytes()));
  if (length < end_length || leeway < 0)
    call.context.fail("'truncate' to ", length, " characters, of which the end takes ", end_length,
                      ", with a leeway of ", leeway);
  if (static_cast<int64_t>(count_characters(text.bytes())) <= length + leeway) return TemplateValue::text(text);
  TracedText result = text.slice(0, character_start(text.bytes(), length - end_length));
  if (!call.flag(1, false)) result = split(call.context, result, " ", 1, TextEnds::kRight).front();
  result.append(end);
  return TemplateValue::text(std::move(result));
}

TemplateValue filter_wordcount(JinjaCall& call) {
  const TracedText text = filtered_text(call);
  int64_t count = 0;
  bool in_word = false;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = next_code_point(std::string_view(text.bytes()).substr(i));
    const bool is_part = is_letter(step.code_point) || is_digit(step.code_point) || step.code_point == '_';
    count += is_part && !in_word;
    in_word = is_part;
    i += step.num_bytes;
  }
  return TemplateValue::integer(count);
}

/// Percent escapes but for letters, digits and -._~ ; `/` stays, or, in a query, a space becomes a plus.
TracedText url_quoted(const TracedText& text, bool in_query) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~",
                             kDigits = "0123456789ABCDEF";
  TracedText result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text.bytes()[i]);
    const bool plain = kPlain.find(text.bytes()[i]) != std::string_view::npos || (byte == '/' && !in_query);
    if (plain) {
      result.append(text, i, i + 1);
    } else if (byte == ' ' && in_query) {
      result.append_for(text, i, "+");
    } else {
      result.append_for(text, i, std::string{'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return result;
}

TemplateValue filter_urlencode(JinjaCall& call) {
  const auto* pairs = call.self.as_dict();
  if (pairs == nullptr) return TemplateValue::text(url_quoted(filtered_text(call), false));
  std::vector<TracedText> parts;
  for (const auto& [key, value] : pairs->entries()) {
    TracedText part = url_quoted(printed(call.context, key), true);
    part.append("=");
    part.append(url_quoted(printed(call.context, value), true));
    call.context.make(part.num_bytes());
    parts.push_back(std::move(part));
  }
  return TemplateValue::text(joined(parts, TracedText("&")));
}

TemplateValue filter_join(JinjaCall& call) {
  const TracedText separator = call.find(0) ? printed(call.context, call.value(0)) : TracedText();
  std::vector<TracedText> parts;
  for (const auto& item : items_of(call.context, call.self)) {
    parts.push_back(printed(call.context, attribute_along(call.context, item, call.find(1))));
    call.context.make(parts.back().num_bytes() + separator.num_bytes());
  }
  return TemplateValue::text(joined(parts, separator));
}

TemplateValue filter_tojson(JinjaCall& call) {
  JsonTextOptions options{.ensure_ascii = call.flag(0, false), .indent = {}, .sort_keys = call.flag(3, false)};
  if (const auto* indent = call.find(1); indent && !indent->is_none()) {
    options.indent = indent->as_text() ? indent->as_text()->bytes()
                                       : std::string(std::clamp<int64_t>(call.integer(1, 0), 0, 1'000), ' ');
    options.item_separator = ",";
  }
  if (const auto* separators = call.find(2); separators && !separators->is_none()) {
    const auto both = items_of(call.context, *separators);
    if (both.size() != 2 || !both[0].as_text() || !both[1].as_text())
      call.context.fail("'tojson': separators are two texts");
    options.item_separator = both[0].as_text()->bytes();
    options.key_separator = both[1].as_text()->bytes();
  }
  return TemplateValue::text(json_text(call.context, call.self, options));
}

}  // namespace

std::vector<JinjaBuiltin> text_filters() {
  return {
      {"capitalize", "", filter_capitalize},
      {"center", "width", filter_center},
      {"e", "", filter_escape},
      {"escape", "", filter_escape},
      {"forceescape", "", filter_forceescape},
      {"format", "*", filter_format},
      {"indent", "width first blank", filter_indent},
      {"join", "d attribute", filter_join},
      {"lower", "", filter_lower},
      {"replace", "old new count", filter_replace},
      {"safe", "", filter_safe},
      {"string", "", filter_string},
      {"title", "", filter_title},
      {"tojson", "ensure_ascii indent separators sort_keys", filter_tojson},
      {"trim", "chars", filter_trim},
      {"truncate", "length killwords end leeway", filter_truncate},
      {"upper", "", filter_upper},
      {"urlencode", "", filter_urlencode},
      {"wordcount", "", filter_wordcount},
  };
}

}  // namespace vlsi
