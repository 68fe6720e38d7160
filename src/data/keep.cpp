#include "data/keep.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/quoted.h"

namespace vlsi {

struct Keep::Node {
  enum class Kind { kAnd, kOr, kComparison } kind = Kind::kComparison;
  std::vector<std::shared_ptr<const Node>> parts;  // of kAnd and kOr
  std::vector<std::string> keys;                   // of a comparison's column: from object to object
  std::string column, comparison;                  // as they are written
  Json literal;
};

namespace {

using KeepNode = std::shared_ptr<const Keep::Node>;
constexpr int kDeepest = 100;  // parentheses

class KeepParser {
 public:
  explicit KeepParser(const std::string& text) : text_(text) {}

  KeepNode run() {
    auto node = any();
    skip_blank();
    if (at_ < text_.size()) wrong("and, or, or the end");
    return node;
  }

 private:
  [[noreturn]] void wrong(const std::string& expected) {
    skip_blank();
    const auto rest = text_.substr(at_, 20);
    fail("keep '", printable(text_), "': found ", rest.empty() ? "the end" : concat("'", printable(rest), "'"),
         " at byte ", at_ + 1, ", expected ", expected);
  }

  void skip_blank() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  bool take(std::string_view what) {
    skip_blank();
    if (!std::string_view(text_).substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }

  static bool is_of_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

  std::string_view word() {
    skip_blank();
    size_t end = at_;
    while (end < text_.size() && is_of_word(text_[end])) ++end;
    return std::string_view(text_).substr(at_, end - at_);
  }

  bool take_word(std::string_view what) {
    if (word() != what) return false;
    at_ += what.size();
    return true;
  }

  KeepNode any() {
    return joined(Keep::Node::Kind::kOr, "or", [this] { return all(); });
  }
  KeepNode all() {
    return joined(Keep::Node::Kind::kAnd, "and", [this] { return one(); });
  }

  template <class Part>
  KeepNode joined(Keep::Node::Kind kind, std::string_view between, const Part& part) {
    Keep::Node node;
    node.kind = kind;
    do {
      node.parts.push_back(part());
    } while (take_word(between));
    return node.parts.size() == 1 ? node.parts[0] : std::make_shared<const Keep::Node>(std::move(node));
  }

  KeepNode one() {
    if (!take("(")) return comparison();
    if (++depth_ > kDeepest) wrong("fewer parentheses");
    auto node = any();
    if (!take(")")) wrong("')'");
    --depth_;
    return node;
  }

  KeepNode comparison() {
    Keep::Node node;
    const auto column = word();
    if (column.empty() || std::isdigit(static_cast<unsigned char>(column[0]))) wrong("a column");
    node.column = column;
    at_ += column.size();
    for (size_t begin = 0, end = 0; end < column.size(); begin = end + 1) {
      end = std::min(column.find('.', begin), column.size());
      if (end == begin) wrong("a key between the dots of the column in front");
      node.keys.emplace_back(column.substr(begin, end - begin));
    }
    for (const char* sign : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (!take(sign)) continue;
      node.comparison = sign;
      break;
    }
    for (const char* text_only : {"contains", "lacks"}) {
      if (node.comparison.empty() && take_word(text_only)) node.comparison = text_only;
    }
    if (node.comparison.empty()) wrong("==, !=, <, <=, >, >=, contains or lacks");
    node.literal = literal();
    const bool is_of_texts = node.comparison == "contains" || node.comparison == "lacks";
    if (is_of_texts && !node.literal.is_string()) wrong("a text in quotes behind " + node.comparison);
    const bool has_order = node.literal.is_number() || node.literal.is_string();
    if (!has_order && node.comparison != "==" && node.comparison != "!=") wrong("== or != with what has no order");
    return std::make_shared<const Keep::Node>(std::move(node));
  }

  Json literal() {
    skip_blank();
    const char first = at_ < text_.size() ? text_[at_] : '\0';
    if (first == '"' || first == '\'') {
      const size_t end = text_.find(first, at_ + 1);
      if (end == text_.npos) wrong("a text with its closing quote");
      const Json text = text_.substr(at_ + 1, end - at_ - 1);
      at_ = end + 1;
      return text;
    }
    if (take_word("true")) return true;
    if (take_word("false")) return false;
    if (take_word("null")) return nullptr;
    double number = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), number);
    if (error != std::errc() || (end < text_.data() + text_.size() && is_of_word(*end))) {
      wrong("a number, a text in quotes, true, false or null");
    }
    at_ += end - begin;
    return number;
  }

  const std::string text_;
  size_t at_ = 0;
  int depth_ = 0;
};

void add_columns(const Keep::Node& node, std::vector<std::string>& columns) {
  for (const auto& part : node.parts) add_columns(*part, columns);
  if (node.keys.empty() || std::find(columns.begin(), columns.end(), node.keys[0]) != columns.end()) return;
  columns.push_back(node.keys[0]);
}

template <class Value>
bool compares(const Value& value, const std::string& comparison, const Value& literal) {
  if (comparison == "==") return value == literal;
  if (comparison == "!=") return value != literal;
  if (comparison == "<") return value < literal;
  if (comparison == "<=") return value <= literal;
  return comparison == ">" ? value > literal : value >= literal;
}

/// Nothing for a text that is no number.
Json number_of(const std::string& text) {
  auto number = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return number.is_number() ? number : Json();
}

bool is_true_of(const Keep::Node& node, const Json& values, bool numbers_are_texts) {
  const auto holds = [&](const auto& part) { return is_true_of(*part, values, numbers_are_texts); };
  if (node.kind == Keep::Node::Kind::kAnd) return std::all_of(node.parts.begin(), node.parts.end(), holds);
  if (node.kind == Keep::Node::Kind::kOr) return std::any_of(node.parts.begin(), node.parts.end(), holds);
  const Json* value = &values;
  for (const auto& key : node.keys) {
    const auto found = value->is_object() ? value->find(key) : value->end();
    if (!value->is_object() || found == value->end()) {
      value = nullptr;
      break;
    }
    value = &*found;
  }
  const bool is_null = value == nullptr || value->is_null();
  if (node.literal.is_null()) return is_null == (node.comparison == "==");
  if (is_null) return false;
  if (node.literal.is_number()) {
    const Json number = numbers_are_texts && value->is_string() ? number_of(value->get<std::string>()) : *value;
    if (number.is_number()) return compares(number.get<double>(), node.comparison, node.literal.get<double>());
  }
  if (node.literal.is_string() && value->is_string()) {
    const auto &text = value->get_ref<const std::string&>(), &literal = node.literal.get_ref<const std::string&>();
    if (node.comparison == "contains") return text.find(literal) != text.npos;
    if (node.comparison == "lacks") return text.find(literal) == text.npos;
    return compares(text, node.comparison, literal);
  }
  if (node.literal.is_boolean() && value->is_boolean()) {
    return compares(value->get<bool>(), node.comparison, node.literal.get<bool>());
  }
  fail("keep: ", quoted(node.column), " is ", describe(*value), ", expected what can be compared with ",
       node.literal.dump());
}

}  // namespace

Keep::Keep(const std::string& text) : text_(text) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) return;
  root_ = KeepParser(text).run();
  add_columns(*root_, columns_);
}

bool Keep::is_true(const Json& values, bool numbers_are_texts) const {
  return root_ == nullptr || is_true_of(*root_, values, numbers_are_texts);
}

}  // namespace vlsi
