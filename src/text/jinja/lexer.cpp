#include "text/jinja/lexer.h"

#include <algorithm>

#include "base/error.h"
#include "base/quoted.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/string_literal.h"

namespace vlsi {
namespace {

using Kind = JinjaToken::Kind;

/// With line ends as \n, and without one at the end.
std::string with_plain_line_ends(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_name(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

/// The operators of tags, longer ones first.
constexpr std::string_view kOperators[] = {"**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                           "]",  "(",  ")",  "{",  "}",  "<",  ">", "=", ".", ":", "|", ",", ";"};

class JinjaLexer {
 public:
  JinjaLexer(std::string_view source, const std::string& place) : source_(with_plain_line_ends(source)), place_(place) {
    const size_t invalid = find_invalid_utf8(source_);
    if (invalid == std::string::npos) return;
    line_ += static_cast<int>(count_lines(source_.substr(0, invalid)));
    fail_here("the template is not UTF-8");
  }

  std::vector<JinjaToken> run() {
    while (true) {
      const size_t begin = next_tag();
      if (begin == std::string::npos) break;
      read_tag(begin);
    }
    add_text(source_.size(), "");
    add(Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    fail(place_, ":", line_, ": ", parts...);
  }

  char at(size_t index) const { return index < source_.size() ? source_[index] : '\0'; }
  std::string_view rest() const { return std::string_view(source_).substr(position_); }
  void add(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  /// Goes on to `end`, counting lines.
  void advance(size_t end) {
    line_ += static_cast<int>(std::count(source_.begin() + position_, source_.begin() + end, '\n'));
    position_ = end;
  }

  size_t next_tag() const {
    for (size_t i = source_.find('{', position_); i != std::string::npos; i = source_.find('{', i + 1)) {
      if (at(i + 1) == '{' || at(i + 1) == '%' || at(i + 1) == '#') return i;
    }
    return std::string::npos;
  }

  /// The text up to `end`, where a tag begins whose second character and sign are `tag`.
  void add_text(size_t end, std::string_view tag) {
    std::string_view text = std::string_view(source_).substr(position_, end - position_);
    const bool strips = tag.ends_with('-'), keeps = tag.ends_with('+');
    if (strips) {
      text = strip_space_at_end(text);
    } else if (!tag.empty() && !keeps && tag[0] != '{') {
      const size_t line_start = text.rfind('\n') + 1;  // 0 where there is none
      if ((line_start > 0 || at_line_start_) && is_space(text.substr(line_start))) text = text.substr(0, line_start);
    }
    if (!text.empty()) add(Kind::kText, std::string(text));
    advance(end);
  }

  void read_tag(size_t begin) {
    std::string tag(1, source_[begin + 1]);
    if (at(begin + 2) == '-' || at(begin + 2) == '+') tag += source_[begin + 2];
    const bool is_raw = tag[0] == '%' && raw_tag_end(begin + 1 + tag.size(), "raw") != std::string::npos;
    add_text(begin, tag);
    if (is_raw) return read_raw(begin + 1 + tag.size());
    advance(begin + 1 + tag.size());
    if (tag[0] == '#') return skip_comment();
    const bool is_variable = tag[0] == '{';
    add(is_variable ? Kind::kVariableBegin : Kind::kTagBegin, "{" + tag);
    while (!read_end(is_variable)) read_word();
  }

  /// Behind the end of a tag: the white space that goes with it. `sign` stands before the end.
  void end_tag(size_t end, char sign, bool trims_line) {
    if (sign == '-') {
      end += space_prefix(std::string_view(source_).substr(end));
    } else if (sign != '+' && trims_line && at(end) == '\n') {
      ++end;
    }
    at_line_start_ = at(end - 1) == '\n';
    advance(end);
  }

  void skip_comment() {
    const size_t end = source_.find("#}", position_);
    if (end == std::string::npos) fail_here("a comment has no end '#}'");
    end_tag(end + 2, end > position_ ? source_[end - 1] : '\0', true);
  }

  /// Where a tag that is only `name` ends, if one stands at `position`; its sign is before its end.
  size_t raw_tag_end(size_t position, std::string_view name) const {
    const auto skip_space = [&] { position += space_prefix(std::string_view(source_).substr(position)); };
    skip_space();
    if (source_.compare(position, name.size(), name) != 0) return std::string::npos;
    position += name.size();
    skip_space();
    if (at(position) == '-' || (at(position) == '+' && name == "endraw")) ++position;
    return source_.compare(position, 2, "%}") == 0 ? position + 2 : std::string::npos;
  }

  /// {% raw %}...{% endraw %}, of which the first tag's name stands at `name`.
  void read_raw(size_t name) {
    const size_t begin = raw_tag_end(name, "raw");
    end_tag(begin, at(begin - 3), false);
    for (size_t i = source_.find("{%", position_); i != std::string::npos; i = source_.find("{%", i + 2)) {
      const bool has_sign = at(i + 2) == '-' || at(i + 2) == '+';
      const size_t end = raw_tag_end(i + 2 + has_sign, "endraw");
      if (end == std::string::npos) continue;
      add_text(i, std::string_view(source_).substr(i + 1, 1 + has_sign));
      return end_tag(end, at(end - 3), true);
    }
    fail_here("{% raw %} has no {% endraw %}");
  }

  /// Whether the tag ends here; between brackets it does not.
  bool read_end(bool is_variable) {
    advance(position_ + space_prefix(rest()));
    if (position_ == source_.size()) fail_here("a tag has no end '", is_variable ? "}}'" : "%}'");
    if (!brackets_.empty()) return false;
    const std::string_view end = is_variable ? "}}" : "%}";
    const bool has_sign = at(position_) == '-' || (at(position_) == '+' && !is_variable);
    if (!rest().substr(has_sign).starts_with(end)) return false;
    add(is_variable ? Kind::kVariableEnd : Kind::kTagEnd, std::string(end));
    end_tag(position_ + has_sign + 2, has_sign ? at(position_) : '\0', !is_variable);
    return true;
  }

  void read_word() {
    const char c = source_[position_];
    if (is_ascii_digit(c)) return read_number();
    if (c == '"' || c == '\'') return read_string(c);
    if (starts_name(c)) {
      size_t end = position_;
      while (starts_name(at(end)) || is_ascii_digit(at(end))) ++end;
      add(Kind::kName, source_.substr(position_, end - position_));
      return advance(end);
    }
    for (const std::string_view op : kOperators) {
      if (!rest().starts_with(op)) continue;
      check_brackets(op[0]);
      add(Kind::kOperator, std::string(op));
      return advance(position_ + op.size());
    }
    fail_here("unexpected ", quoted(std::string(1, c)), " in a tag");
  }

  void check_brackets(char c) {
    if (c == '(') brackets_ += ')';
    if (c == '[') brackets_ += ']';
    if (c == '{') brackets_ += '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (brackets_.empty()) fail_here("unexpected '", c, "'");
    if (brackets_.back() != c) fail_here("unexpected '", c, "', expected '", brackets_.back(), "'");
    brackets_.pop_back();
  }

  size_t digits_end(size_t i) const {
    while (is_ascii_digit(at(i)) || (at(i) == '_' && is_ascii_digit(at(i + 1)))) ++i;
    return i;
  }

  /// Numbers keep their prefix; underscores between digits are left out.
  void read_number() {
    size_t end = digits_end(position_);
    bool is_float = false;
    const char base = static_cast<char>(at(position_ + 1) | 0x20);
    if (end == position_ + 1 && at(position_) == '0' && (base == 'x' || base == 'b' || base == 'o')) {
      const auto is_part = [](char c) {
        return is_ascii_digit(c) || c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
      };
      for (++end; is_part(at(end));) ++end;
    } else {
      const bool after_point = position_ > 0 && source_[position_ - 1] == '.';
      if (!after_point && at(end) == '.' && is_ascii_digit(at(end + 1))) {
        is_float = true;
        end = digits_end(end + 1);
      }
      const size_t sign = end + 1 + (at(end + 1) == '-' || at(end + 1) == '+');
      if (!after_point && (at(end) | 0x20) == 'e' && is_ascii_digit(at(sign))) {
        is_float = true;
        end = digits_end(sign);
      }
    }
    std::string digits = source_.substr(position_, end - position_);
    std::erase(digits, '_');
    add(is_float ? Kind::kFloat : Kind::kInteger, std::move(digits));
    advance(end);
  }

  void read_string(char quote) {
    size_t end = position_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail_here("a string has no end ", quote);
    const auto literal = std::string_view(source_).substr(position_ + 1, end - position_ - 1);
    add(Kind::kString, resolve_escapes(literal, concat(place_, ":", line_)));
    advance(end + 1);
  }

  std::string source_;
  std::string place_;
  size_t position_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;
  std::string brackets_;  // the closing ones that are still to come
  std::vector<JinjaToken> tokens_;
};

}  // namespace

std::vector<JinjaToken> read_jinja_tokens(std::string_view source, const std::string& place) {
  return JinjaLexer(source, place).run();
}

std::string describe(const JinjaToken& token) {
  switch (token.kind) {
    case Kind::kText: return "text";
    case Kind::kEnd: return "the end of the template";
    case Kind::kString: return "the string " + quoted(token.text);
    default: return "'" + token.text + "'";
  }
}

}  // namespace vlsi
