#include "text/python/python_number.h"
#include "text/jinja/characters.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace vlsi {
namespace {

constexpr size_t kMostIntDigits = 4300;  // sys.int_info.default_max_str_digits

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

/// Decimal digits as ASCII, without white space around them, to which Python does not count U+001C to U+001F here.
/// Empty where another character is beyond ASCII.
std::optional<std::string> to_ascii(TextView text) {
  std::string ascii;
  for (const char32_t c : text) {
    const int value = c < 0x80 ? -1 : decimal_value(c);
    if (c >= 0x80 && value < 0 && !is_space(c)) return std::nullopt;
    ascii += c < 0x80 ? static_cast<char>(c) : value < 0 ? ' ' : static_cast<char>('0' + value);
  }
  constexpr char kAsciiSpace[] = " \t\n\v\f\r";
  const size_t first = ascii.find_first_not_of(kAsciiSpace);
  return first == ascii.npos ? "" : ascii.substr(first, ascii.find_last_not_of(kAsciiSpace) + 1 - first);
}

/// Without underscores; empty where one does not stand between two digits.
std::optional<std::string> drop_underscores(const std::string& text) {
  std::string kept;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      kept += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_ascii_digit(text[i - 1]) || !is_ascii_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return kept;
}

/// Digits, perhaps with a point, perhaps with an exponent.
bool is_decimal_number(std::string_view text) {
  const auto take_digits = [&] {
    size_t count = 0;
    while (count < text.size() && is_ascii_digit(text[count])) ++count;
    text.remove_prefix(count);
    return count;
  };
  size_t digits = take_digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    digits += take_digits();
  }
  if (digits == 0) return false;
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
    if (take_digits() == 0) return false;
  }
  return text.empty();
}

bool equals_any_case(std::string_view text, std::string_view lower_case) {
  if (text.size() != lower_case.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] | 0x20) != lower_case[i]) return false;
  }
  return true;
}

Text widen(std::string_view ascii) { return Text(ascii.begin(), ascii.end()); }

/// All digits of a finite number, with `decimals` of them behind the point.
std::string fixed_text(double value, int decimals) {
  std::array<char, 2048> buffer;  // at most 309 digits, a sign, a point and 1,074 digits
  const int size = std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  return {buffer.data(), static_cast<size_t>(size)};
}

/// To tens, hundreds, …; of a finite number.
double round_to_tens(double value, int64_t zeros) {
  if (zeros > 308) return std::copysign(0.0, value);
  const std::string all = fixed_text(std::abs(value), 1074);
  const std::string whole = std::string(static_cast<size_t>(zeros) + 1, '0') + all.substr(0, all.find('.'));
  const size_t kept = whole.size() - static_cast<size_t>(zeros);
  std::string digits = whole.substr(0, kept);
  const std::string rest = whole.substr(kept) + all.substr(all.find('.') + 1);
  const bool tie = rest[0] == '5' && rest.find_first_not_of('0', 1) == rest.npos;
  if (rest[0] > '5' || (rest[0] == '5' && (!tie || (digits.back() - '0') % 2 == 1))) {
    size_t place = digits.size() - 1;
    while (digits[place] == '9') digits[place--] = '0';
    ++digits[place];
  }
  return std::copysign(std::strtod((digits + std::string(static_cast<size_t>(zeros), '0')).c_str(), nullptr), value);
}

}  // namespace

std::optional<double> parse_float(TextView text) {
  const auto ascii = to_ascii(text);
  if (!ascii) return std::nullopt;
  std::string_view rest = *ascii;
  double sign = 1;
  if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
    sign = rest[0] == '-' ? -1 : 1;
    rest.remove_prefix(1);
  }
  if (equals_any_case(rest, "inf") || equals_any_case(rest, "infinity")) return sign * INFINITY;
  if (equals_any_case(rest, "nan")) return NAN;
  const auto digits = drop_underscores(std::string(rest));
  if (!digits || !is_decimal_number(*digits)) return std::nullopt;
  double value = 0;
  const auto result = std::from_chars(digits->data(), digits->data() + digits->size(), value);
  if (result.ec == std::errc::result_out_of_range) value = std::strtod(digits->c_str(), nullptr);
  return sign * value;
}

std::optional<Text> parse_int(TextView text) {
  const auto ascii = to_ascii(text);
  if (!ascii) return std::nullopt;
  std::string_view rest = *ascii;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const auto digits = drop_underscores(std::string(rest));
  if (!digits || digits->empty() || digits->find_first_not_of("0123456789") != digits->npos ||
      digits->size() > kMostIntDigits) {
    return std::nullopt;
  }
  const size_t first = digits->find_first_not_of('0');
  if (first == digits->npos) return U"0";
  return widen((negative ? "-" : "") + digits->substr(first));
}

Text float_text(double value) {
  if (std::isnan(value)) return U"nan";
  if (std::isinf(value)) return value < 0 ? U"-inf" : U"inf";
  std::array<char, 64> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  const std::string text(buffer.data(), end.ptr);
  const size_t place = text.find('e');
  const int exponent = std::atoi(text.c_str() + place + 1);
  if (exponent < -4 || exponent >= 16) return widen(text);
  const int num_digits = static_cast<int>(place) - (text[0] == '-') - (text.find('.') != text.npos);
  return widen(fixed_text(value, std::max(1, num_digits - 1 - exponent)));
}

std::optional<Text> whole_text(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  const std::string text = fixed_text(std::trunc(value), 0);
  return text == "-0" ? U"0" : widen(text);
}

double round_to(double value, int64_t digits) {
  constexpr int64_t kMostDigits = 323;  // more change no double
  if (!std::isfinite(value) || digits > kMostDigits) return value;
  if (digits < 0) return round_to_tens(value, -digits);
  return std::strtod(fixed_text(value, static_cast<int>(digits)).c_str(), nullptr);
}

std::optional<Text> rounded_text(double value) {
  return std::isfinite(value) ? whole_text(std::nearbyint(value)) : std::nullopt;
}

}  // namespace vlsi
