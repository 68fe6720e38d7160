#include "text/jinja/library/number_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "text/jinja/characters.h"
#include "text/jinja/library/text_operations.h"
#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

constexpr int64_t kMaxPrecision = 400;

std::string with_commas(const std::string& digits) {
  const size_t whole = std::min(digits.find_first_of(".e"), digits.size());
  std::string result;
  for (size_t i = 0; i < whole; ++i) {
    if (i > 0 && (whole - i) % 3 == 0) result += ',';
    result += digits[i];
  }
  return result + digits.substr(whole);
}

std::string integer_digits(uint64_t value, const FormatSpec& spec) {
  const char type = spec.type;
  const int base = type == 'b' ? 2 : type == 'o' ? 8 : type == 'x' || type == 'X' ? 16 : 10;
  char text[72];
  std::string digits(text, std::to_chars(text, text + sizeof(text), value, base).ptr);
  if (spec.commas) digits = with_commas(digits);
  if (spec.alternate && base != 10) digits = std::string("0") + type + digits;
  if (type == 'X')
    std::transform(digits.begin(), digits.end(), digits.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  return digits;
}

std::string float_digits(double value, const FormatSpec& spec) {
  if (std::isinf(value)) return "inf";
  if (std::isnan(value)) return "nan";
  if (spec.type == '\0' && !spec.precision) return python_float(value);
  const bool percent = spec.type == '%';
  const char type = percent ? 'f' : spec.type == '\0' ? 'g' : spec.type;
  const char format[] = {'%', '.', '*', type, '\0'};
  char text[800];
  std::snprintf(text, sizeof(text), format, static_cast<int>(std::min(spec.precision.value_or(6), kMaxPrecision)),
                percent ? value * 100 : value);
  std::string digits = spec.commas ? with_commas(text) : text;
  return percent ? digits + '%' : digits;
}

TracedText aligned(JinjaContext& context, const TracedText& text, const FormatSpec& spec, char align) {
  if (align == '<') return padded(context, text, spec.width, spec.fill, [](size_t, size_t) { return size_t{0}; });
  if (align == '^')
    return padded(context, text, spec.width, spec.fill, [](size_t missing, size_t) { return missing / 2; });
  return padded(context, text, spec.width, spec.fill, [](size_t missing, size_t) { return missing; });
}

/// `digits` behind the sign, and what `=` puts between the two.
TracedText format_signed(JinjaContext& context, bool negative, const std::string& digits, const FormatSpec& spec) {
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (spec.align != '=')
    return aligned(context, TracedText(sign + digits), spec, spec.align == '\0' ? '>' : spec.align);
  FormatSpec rest = spec;
  rest.width -= static_cast<int64_t>(sign.size());
  TracedText result(sign);
  result.append(aligned(context, TracedText(digits), rest, '>'));
  return result;
}

TracedText format_text(JinjaContext& context, const TemplateValue& value, const FormatSpec& spec) {
  TracedText text = printed(context, value);
  if (spec.precision)
    text = text.slice(0, character_start(text.bytes(), static_cast<size_t>(std::max<int64_t>(*spec.precision, 0))));
  return aligned(context, text, spec, spec.align == '\0' ? '<' : spec.align);
}

}  // namespace

TracedText format_value(JinjaContext& context, const TemplateValue& value, const FormatSpec& spec) {
  const bool for_integers = spec.type != '\0' && std::string_view("dboxX").find(spec.type) != std::string_view::npos;
  const bool for_numbers = spec.type != '\0' && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  const bool plain = spec.type == '\0';
  const auto whole = value.whole();
  if (whole && (for_integers || plain)) {
    const uint64_t size = *whole < 0 ? 0 - static_cast<uint64_t>(*whole) : static_cast<uint64_t>(*whole);
    return format_signed(context, *whole < 0, integer_digits(size, spec), spec);
  }
  if (value.real() && (for_numbers || (plain && value.as_number()))) {
    return format_signed(context, std::signbit(*value.real()), float_digits(std::abs(*value.real()), spec), spec);
  }
  if (!plain && spec.type != 's') context.fail("a ", value.type_name(), " cannot be formatted with '", spec.type, "'");
  return format_text(context, value, spec);
}

}  // namespace vlsi
