// Methods of Python's str.
#include <algorithm>
#include <string>

#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/library/brace_format.h"
#include "text/jinja/library/call.h"
#include "text/jinja/library/text_operations.h"
#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

const TracedText& own_text(const JinjaCall& call) { return *call.self.as_text(); }

/// The text of a parameter that may be missing or None.
std::optional<std::string> optional_text(const JinjaCall& call, size_t index) {
  if (!call.find(index) || call.find(index)->is_none()) return std::nullopt;
  return call.text(index).bytes();
}

TemplateValue texts(const JinjaCall& call, std::vector<TracedText> parts,
                    TemplateSequence::Form form = TemplateSequence::Form::kList) {
  call.context.make(parts.size() * JinjaLimits::kBytesPerText + own_text(call).num_bytes());
  TemplateSequence sequence{.form = form, .items = {}};
  for (auto& part : parts) sequence.items.push_back(TemplateValue::text(std::move(part)));
  return TemplateValue::sequence(std::move(sequence));
}

template <TextEnds kEnds>
TemplateValue strip(JinjaCall& call) {
  return TemplateValue::text(stripped(own_text(call), kEnds, optional_text(call, 0)));
}

template <TextEnds kFrom>
TemplateValue split_text(JinjaCall& call) {
  return texts(call, split(call.context, own_text(call), optional_text(call, 0), call.integer(1, -1), kFrom));
}

TemplateValue split_at_lines(JinjaCall& call) { return texts(call, split_lines(own_text(call), call.flag(0, false))); }

template <TextEnds kFrom>
TemplateValue partition(JinjaCall& call) {
  auto parts = split(call.context, own_text(call), call.text(0).bytes(), 1, kFrom);
  if (parts.size() == 2) {
    parts.insert(parts.begin() + 1, call.text(0));
  } else {
    parts.resize(3);
    if (kFrom == TextEnds::kRight) std::swap(parts[0], parts[2]);
  }
  return texts(call, std::move(parts), TemplateSequence::Form::kTuple);
}

/// The bytes [begin, end) of the characters that the parameters `first` and `first + 1` bound.
std::pair<size_t, size_t> region(const JinjaCall& call, size_t first) {
  const std::string_view bytes = own_text(call).bytes();
  const auto length = static_cast<int64_t>(count_characters(bytes));
  const auto place = [&](size_t index, int64_t otherwise) {
    const int64_t at = call.integer(index, otherwise);
    return std::max<int64_t>(at < 0 ? at + length : at, 0);
  };
  const int64_t begin = place(first, 0), end = std::min(place(first + 1, length), length);
  if (begin > length) return {1, 0};  // not even an empty text is there
  return {character_start(bytes, begin), character_start(bytes, end)};
}

template <TextEnds kEnd>
bool stands_at_end(const JinjaCall& call, const TemplateValue& part) {
  if (part.as_text() == nullptr)
    call.context.fail("'", call.name, "' takes a str or a tuple of str, and is given a ", part.type_name());
  const auto [begin, end] = region(call, 1);
  if (begin > end) return false;
  const auto within = std::string_view(own_text(call).bytes()).substr(begin, end - begin);
  return kEnd == TextEnds::kLeft ? within.starts_with(part.as_text()->bytes())
                                 : within.ends_with(part.as_text()->bytes());
}

template <TextEnds kEnd>
TemplateValue starts_or_ends(JinjaCall& call) {
  const auto* parts = call.value(0).as_sequence();
  if (parts == nullptr || parts->form != TemplateSequence::Form::kTuple)
    return TemplateValue::boolean(stands_at_end<kEnd>(call, call.value(0)));
  return TemplateValue::boolean(std::any_of(parts->items.begin(), parts->items.end(),
                                            [&](const auto& part) { return stands_at_end<kEnd>(call, part); }));
}

/// The character at which the text of parameter 0 stands; -1 where it does not.
template <TextEnds kFrom>
int64_t place_of(const JinjaCall& call) {
  const auto [begin, end] = region(call, 1);
  const std::string& part = call.text(0).bytes();
  const size_t found = kFrom == TextEnds::kLeft ? find_first(own_text(call), part, begin, end)
                                                : find_last(call.context, own_text(call), part, begin, end);
  if (found == std::string::npos) return -1;
  return static_cast<int64_t>(count_characters(std::string_view(own_text(call).bytes()).substr(0, found)));
}

template <TextEnds kFrom>
TemplateValue find_text(JinjaCall& call) {
  return TemplateValue::integer(place_of<kFrom>(call));
}

template <TextEnds kFrom>
TemplateValue index_text(JinjaCall& call) {
  const int64_t place = place_of<kFrom>(call);
  if (place < 0) call.context.fail("'", call.name, "': the text is not there");
  return TemplateValue::integer(place);
}

TemplateValue count_text(JinjaCall& call) {
  const auto [begin, end] = region(call, 1);
  if (begin > end) return TemplateValue::integer(0);
  const TracedText within = own_text(call).slice(begin, end);
  if (call.text(0).empty()) return TemplateValue::integer(static_cast<int64_t>(count_characters(within.bytes())) + 1);
  return TemplateValue::integer(
      static_cast<int64_t>(split(call.context, within, call.text(0).bytes(), -1, TextEnds::kLeft).size()) - 1);
}

TemplateValue replace_text(JinjaCall& call) {
  return TemplateValue::text(
      replaced(call.context, own_text(call), call.text(0).bytes(), call.text(1), call.integer(2, -1)));
}

TemplateValue join_texts(JinjaCall& call) {
  std::vector<TracedText> parts;
  for (const auto& item : items_of(call.context, call.value(0))) {
    if (item.as_text() == nullptr) call.context.fail("'join' takes texts, and is given a ", item.type_name());
    call.context.make(item.as_text()->num_bytes() + own_text(call).num_bytes());
    parts.push_back(*item.as_text());
  }
  return TemplateValue::text(joined(parts, own_text(call)));
}

TemplateValue format_text_method(JinjaCall& call) {
  return TemplateValue::text(brace_format(call.context, own_text(call), call.rest));
}

TemplateValue upper_method(JinjaCall& call) { return TemplateValue::text(uppercase(own_text(call))); }
TemplateValue lower_method(JinjaCall& call) { return TemplateValue::text(lowercase(own_text(call))); }
TemplateValue capitalize_method(JinjaCall& call) { return TemplateValue::text(capitalized(own_text(call))); }

TemplateValue title_method(JinjaCall& call) {
  return TemplateValue::text(with_forms(
      own_text(call), [](char32_t c, CharacterPlace place) { return place.starts_word ? title(c) : lower(c); }));
}

TemplateValue swapcase_method(JinjaCall& call) {
  return TemplateValue::text(
      with_forms(own_text(call), [](char32_t c, CharacterPlace) { return is_upper(c) ? lower(c) : upper(c); }));
}

template <TextEnds kEnd>
TemplateValue remove_end(JinjaCall& call) {
  const TracedText &text = own_text(call), &part = call.text(0);
  const bool there =
      kEnd == TextEnds::kLeft ? text.bytes().starts_with(part.bytes()) : text.bytes().ends_with(part.bytes());
  if (!there) return call.self;
  return TemplateValue::text(kEnd == TextEnds::kLeft ? text.slice(part.size(), text.size())
                                                     : text.slice(0, text.size() - part.size()));
}

/// `kEnds` is where the text goes: kLeft for ljust.
template <TextEnds kEnds>
TemplateValue justify(JinjaCall& call) {
  const std::string fill = optional_text(call, 1).value_or(" ");
  if (count_characters(fill) != 1)
    call.context.fail("'", call.name, "' fills with one character, and is given ", count_characters(fill));
  const auto before = [](size_t missing, size_t width) {
    return kEnds == TextEnds::kLeft ? 0 : kEnds == TextEnds::kRight ? missing : left_of_centre(missing, width);
  };
  return TemplateValue::text(padded(call.context, own_text(call), call.integer(0, 0), fill, before));
}

TemplateValue fill_with_zeros(JinjaCall& call) {
  const TracedText& text = own_text(call);
  const size_t sign = text.bytes().starts_with('-') || text.bytes().starts_with('+') ? 1 : 0;
  TracedText result = text.slice(0, sign);
  result.append(padded(call.context, text.slice(sign, text.size()), call.integer(0, 0) - static_cast<int64_t>(sign),
                       "0", [](size_t missing, size_t) { return missing; }));
  return TemplateValue::text(std::move(result));
}

/// Whether there are characters, and all are of this kind.
template <bool (*kIs)(char32_t)>
TemplateValue all_are(JinjaCall& call) {
  const std::string_view bytes = own_text(call).bytes();
  for (size_t i = 0; i < bytes.size();) {
    const Utf8Step step = next_code_point(bytes.substr(i));
    if (!kIs(step.code_point)) return TemplateValue::boolean(false);
    i += step.num_bytes;
  }
  return TemplateValue::boolean(!bytes.empty());
}

bool is_letter_or_digit(char32_t c) { return is_letter(c) || is_digit(c); }
bool is_ascii(char32_t c) { return c < 0x80; }

/// Whether there are letters with cases, and all have this one.
template <bool (*kIs)(char32_t), bool (*kIsOther)(char32_t)>
TemplateValue all_have_case(JinjaCall& call) {
  const std::string_view bytes = own_text(call).bytes();
  bool any = false;
  for (size_t i = 0; i < bytes.size();) {
    const Utf8Step step = next_code_point(bytes.substr(i));
    if (kIsOther(step.code_point)) return TemplateValue::boolean(false);
    any = any || kIs(step.code_point);
    i += step.num_bytes;
  }
  return TemplateValue::boolean(any);
}

}  // namespace

const Table<JinjaBuiltin>& jinja_text_methods() {
  static const Table<JinjaBuiltin> methods{
      {"capitalize", "", capitalize_method},
      {"casefold", "", lower_method},
      {"center", "width fillchar", justify<TextEnds::kBoth>},
      {"count", "sub start end", count_text},
      {"endswith", "suffix start end", starts_or_ends<TextEnds::kRight>},
      {"find", "sub start end", find_text<TextEnds::kLeft>},
      {"format", "*", format_text_method},
      {"index", "sub start end", index_text<TextEnds::kLeft>},
      {"isalnum", "", all_are<is_letter_or_digit>},
      {"isalpha", "", all_are<is_letter>},
      {"isascii", "", all_are<is_ascii>},
      {"isdecimal", "", all_are<is_decimal>},
      {"isdigit", "", all_are<is_digit>},
      {"islower", "", all_have_case<is_lower, is_upper>},
      {"isnumeric", "", all_are<is_numeric>},
      {"isspace", "", all_are<is_space>},
      {"isupper", "", all_have_case<is_upper, is_lower>},
      {"join", "iterable", join_texts},
      {"ljust", "width fillchar", justify<TextEnds::kLeft>},
      {"lower", "", lower_method},
      {"lstrip", "chars", strip<TextEnds::kLeft>},
      {"partition", "sep", partition<TextEnds::kLeft>},
      {"removeprefix", "prefix", remove_end<TextEnds::kLeft>},
      {"removesuffix", "suffix", remove_end<TextEnds::kRight>},
      {"replace", "old new count", replace_text},
      {"rfind", "sub start end", find_text<TextEnds::kRight>},
      {"rindex", "sub start end", index_text<TextEnds::kRight>},
      {"rjust", "width fillchar", justify<TextEnds::kRight>},
      {"rpartition", "sep", partition<TextEnds::kRight>},
      {"rsplit", "sep maxsplit", split_text<TextEnds::kRight>},
      {"rstrip", "chars", strip<TextEnds::kRight>},
      {"split", "sep maxsplit", split_text<TextEnds::kLeft>},
      {"splitlines", "keepends", split_at_lines},
      {"startswith", "prefix start end", starts_or_ends<TextEnds::kLeft>},
      {"strip", "chars", strip<TextEnds::kBoth>},
      {"swapcase", "", swapcase_method},
      {"title", "", title_method},
      {"upper", "", upper_method},
      {"zfill", "width", fill_with_zeros},
  };
  return methods;
}

}  // namespace vlsi
