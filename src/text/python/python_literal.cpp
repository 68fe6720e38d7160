#include "text/python/python_literal.h"

#include <string>

#include "base/utf8.h"
#include "text/python/python_number.h"

namespace vlsi {
namespace {

constexpr int kDeepest = 32;

/// Reads one value after the other from the start of a text; nothing on any error.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::optional<Json> list() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '[' && rest_[0] != '(') || ++depth_ > kDeepest) return std::nullopt;
    const char end = rest_[0] == '[' ? ']' : ')';
    rest_.remove_prefix(1);
    Json values = Json::array();
    for (;;) {
      if (take(end)) break;
      auto value = this->value();
      if (!value) return std::nullopt;
      values.push_back(*std::move(value));
      if (take(',')) continue;
      if (!take(end)) return std::nullopt;
      break;
    }
    --depth_;
    return values;
  }

  bool at_end() {
    skip_space();
    return rest_.empty();
  }

 private:
  void skip_space() {
    while (!rest_.empty() && std::string_view(" \t\r\n\f").find(rest_[0]) != rest_.npos) rest_.remove_prefix(1);
  }

  bool take(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<Json> value() {
    skip_space();
    if (rest_.empty()) return std::nullopt;
    if (rest_[0] == '[' || rest_[0] == '(') return list();
    if (starts_string()) {
      std::string all;
      while (starts_string()) {  // Python joins strings that follow one another
        if (!read_string(all)) return std::nullopt;
        skip_space();
      }
      return Json(std::move(all));
    }
    const size_t length = std::min(rest_.find_first_of(",]) \t\r\n"), rest_.size());
    const std::string_view word = rest_.substr(0, length);
    rest_.remove_prefix(length);
    if (word == "None") return Json(nullptr);
    if (word == "True" || word == "False") return Json(word == "True");
    const Text text = to_text(word);
    if (const auto whole = parse_int(text)) {
      const Json number = Json::parse(to_utf8(*whole), nullptr, false);
      return number.is_discarded() ? std::nullopt : std::optional(number);
    }
    if (word.empty() || std::string_view("0123456789.+-").find(word[0]) == word.npos) return std::nullopt;
    const auto number = parse_float(text);
    return number ? std::optional<Json>(*number) : std::nullopt;
  }

  /// How many characters of a prefix such as r, u or b stand before a quote; npos where no string begins.
  size_t prefix() const {
    const size_t quote = rest_.find_first_of("'\"");
    if (quote == rest_.npos || quote > 1) return rest_.npos;
    return quote == 0 || std::string_view("rRuU").find(rest_[0]) != rest_.npos ? quote : rest_.npos;
  }
  bool starts_string() const { return prefix() != rest_.npos; }

  bool read_string(std::string& all) {
    const size_t length = prefix();
    const bool raw = length == 1 && (rest_[0] | 0x20) == 'r';
    rest_.remove_prefix(length);
    const char quote = rest_[0];
    const std::string triple(3, quote);
    const std::string end = rest_.starts_with(triple) ? triple : std::string(1, quote);
    rest_.remove_prefix(end.size());
    while (!rest_.starts_with(end)) {
      if (rest_.empty() || (rest_[0] == '\n' && end.size() == 1)) return false;
      if (rest_[0] != '\\') {
        all += rest_[0];
        rest_.remove_prefix(1);
      } else if (raw) {
        if (rest_.size() < 2) return false;
        all += rest_.substr(0, 2);
        rest_.remove_prefix(2);
      } else if (!read_escape(all)) {
        return false;
      }
    }
    rest_.remove_prefix(end.size());
    return true;
  }

  bool read_escape(std::string& all) {
    if (rest_.size() < 2) return false;
    const char kind = rest_[1];
    rest_.remove_prefix(2);
    constexpr std::string_view kKinds = "ntrabfv\\'\"", kMeanings = "\n\t\r\a\b\f\v\\'\"";
    if (const size_t place = kKinds.find(kind); place != kKinds.npos) {
      all += kMeanings[place];
    } else if (kind == '\n') {  // joins the lines
    } else if (kind == 'x' || kind == 'u' || kind == 'U') {
      return read_code(kind == 'x' ? 2 : kind == 'u' ? 4 : 8, 16, "0123456789abcdefABCDEF", all);
    } else if (kind >= '0' && kind <= '7') {
      size_t length = 0;
      while (length < 2 && length < rest_.size() && rest_[length] >= '0' && rest_[length] <= '7') ++length;
      const std::string digits = kind + std::string(rest_.substr(0, length));
      rest_.remove_prefix(length);
      append_code_point(static_cast<char32_t>(std::stoul(digits, nullptr, 8)), all);
    } else {
      all += {'\\', kind};
    }
    return true;
  }

  bool read_code(size_t length, int base, std::string_view digits, std::string& all) {
    const std::string code(rest_.substr(0, length));
    if (code.size() != length || code.find_first_not_of(digits) != code.npos) return false;
    const auto value = static_cast<char32_t>(std::stoul(code, nullptr, base));
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return false;
    append_code_point(value, all);
    rest_.remove_prefix(length);
    return true;
  }

  std::string_view rest_;
  int depth_ = 0;
};

}  // namespace

std::optional<Json> parse_python_list(std::string_view text) {
  Reader reader(text);
  auto list = reader.list();
  return list && reader.at_end() ? list : std::nullopt;
}

}  // namespace vlsi
