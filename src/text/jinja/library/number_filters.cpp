// Filters that make numbers.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "base/number_text.h"
#include "text/jinja/characters.h"
#include "text/jinja/library/filters.h"
#include "text/jinja/library/text_operations.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

/// A text as Python's int() and float() take it: without white space around it, underscores and a plus sign.
std::string number_literal(const TracedText& text) {
  std::string literal = stripped(text, TextEnds::kBoth).bytes();
  if (literal.starts_with('+')) literal.erase(0, 1);
  if (!literal.starts_with('_') && !literal.ends_with('_') && literal.find("__") == std::string::npos)
    std::erase(literal, '_');
  return literal;
}

std::optional<double> parse_float(const TracedText& text) {
  const std::string literal = number_literal(text), lower = lowercase(TracedText(literal)).bytes();
  if (lower == "inf" || lower == "infinity") return std::numeric_limits<double>::infinity();
  if (lower == "-inf" || lower == "-infinity") return -std::numeric_limits<double>::infinity();
  if (lower == "nan" || lower == "-nan") return std::numeric_limits<double>::quiet_NaN();
  return parse_number(literal);
}

std::optional<int64_t> parse_integer(const TracedText& text, int base) {
  std::string literal = number_literal(text);
  const bool negative = literal.starts_with('-');
  const size_t sign = negative ? 1 : 0;
  const char kind =
      literal.size() > sign + 2 && literal[sign] == '0' ? static_cast<char>(literal[sign + 1] | 0x20) : '\0';
  const int prefix_base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
  if (prefix_base != 0 && (base == prefix_base || base == 0)) literal.erase(sign, 2);
  if (base == 0) base = prefix_base == 0 ? 10 : prefix_base;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(literal.data(), literal.data() + literal.size(), value, base);
  if (literal.empty() || error != std::errc() || end != literal.data() + literal.size()) return std::nullopt;
  return value;
}

/// The part before the point, where it fits.
std::optional<int64_t> truncated(double value) {
  if (!(std::abs(value) < 9.2e18)) return std::nullopt;
  return static_cast<int64_t>(value);
}

TemplateValue filter_int(JinjaCall& call) {
  const TemplateValue otherwise = call.find(0) ? call.value(0) : TemplateValue::integer(0);
  if (call.self.is_undefined()) call.context.fail(call.self.what());
  std::optional<int64_t> value = call.self.whole();
  if (const double* number = call.self.as_number()) value = truncated(*number);
  if (const TracedText* text = call.self.as_text()) {
    const int64_t base = call.integer(1, 10);
    if (base != 0 && (base < 2 || base > 36)) call.context.fail("'int' to base ", base);
    value = parse_integer(*text, static_cast<int>(base));
    const auto real = value ? std::nullopt : parse_float(*text);
    if (real) value = truncated(*real);
  }
  return value ? TemplateValue::integer(*value) : otherwise;
}

TemplateValue filter_float(JinjaCall& call) {
  const TemplateValue otherwise = call.find(0) ? call.value(0) : TemplateValue::number(0);
  if (call.self.is_undefined()) call.context.fail(call.self.what());
  const auto value = call.self.as_text() ? parse_float(*call.self.as_text()) : call.self.real();
  return value ? TemplateValue::number(*value) : otherwise;
}

/// To the even neighbour where both are as near, as Python's round().
double rounded(double value, int64_t precision) {
  constexpr int64_t kEnough = 330;  // digits, before and behind the point
  if (!std::isfinite(value) || precision > kEnough) return value;
  if (precision < -kEnough) return 0;
  if (precision < 0) {
    const double scale = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / scale) * scale;
  }
  char text[800];
  std::snprintf(text, sizeof(text), "%.*f", static_cast<int>(precision), value);
  return parse_number(text).value_or(value);
}

TemplateValue filter_round(JinjaCall& call) {
  const int64_t precision = call.integer(0, 0);
  const std::string method = call.find(1) ? call.text(1).bytes() : "common";
  if (call.self.is_undefined()) call.context.fail(call.self.what());
  const auto value = call.self.real();
  if (!value) call.context.fail("'round' of a ", call.self.type_name());
  if (method == "common") {
    if (call.self.whole() && precision >= 0) return TemplateValue::integer(*call.self.whole());
    const double result = rounded(*value, precision);
    return call.self.whole() ? TemplateValue::integer(truncated(result).value_or(0)) : TemplateValue::number(result);
  }
  if (method != "ceil" && method != "floor")
    call.context.fail("'round' with the method '", method, "', expected common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  return TemplateValue::number((method == "ceil" ? std::ceil(*value * scale) : std::floor(*value * scale)) / scale);
}

TemplateValue filter_abs(JinjaCall& call) {
  if (call.self.is_undefined()) call.context.fail(call.self.what());
  if (const auto whole = call.self.whole()) {
    if (*whole == INT64_MIN) call.context.fail("the result of 'abs' is beyond 64 bits");
    return TemplateValue::integer(std::abs(*whole));
  }
  if (!call.self.real()) call.context.fail("'abs' of a ", call.self.type_name());
  return TemplateValue::number(std::abs(*call.self.real()));
}

TemplateValue filter_length(JinjaCall& call) { return TemplateValue::integer(length_of(call.context, call.self)); }

TemplateValue filter_sum(JinjaCall& call) {
  const auto* add = jinja_operators().find("+");
  TemplateValue sum = call.find(1) ? call.value(1) : TemplateValue::integer(0);
  for (const auto& item : items_of(call.context, call.self)) {
    sum = call.context.made(add->apply(call.context, sum, attribute_along(call.context, item, call.find(0))));
  }
  return sum;
}

}  // namespace

std::vector<JinjaBuiltin> number_filters() {
  return {
      {"abs", "", filter_abs},
      {"count", "", filter_length},
      {"float", "default", filter_float},
      {"int", "default base", filter_int},
      {"length", "", filter_length},
      {"round", "precision method", filter_round},
      {"sum", "attribute start", filter_sum},
  };
}

}  // namespace vlsi
