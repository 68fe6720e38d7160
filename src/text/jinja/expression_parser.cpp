#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "base/number_text.h"
#include "text/jinja/library/call.h"
#include "text/jinja/operators.h"

namespace vlsi {
namespace {

using Kind = JinjaToken::Kind;

constexpr int kExpressionNesting = 200;
constexpr size_t kExpressionNodes = 5'000;  // bounds how deep a long chain of operators is

const JinjaOperator* operator_named(std::string_view name) { return jinja_operators().find(name); }

}  // namespace

template <class Node>
JinjaExpressionPtr JinjaExpressionParser::make(int line, Node node) {
  if (++num_nodes_ > kExpressionNodes) tokens_.fail_here("an expression has more than ", kExpressionNodes, " parts");
  return std::make_unique<const JinjaExpression>(JinjaExpression{line, std::move(node)});
}

JinjaExpressionPtr JinjaExpressionParser::expression() {
  num_nodes_ = 0;
  return parse_expression();
}

JinjaExpressionPtr JinjaExpressionParser::tuple(bool with_condition) {
  num_nodes_ = 0;
  return parse_tuple(with_condition, false);
}

JinjaTarget JinjaExpressionParser::target(bool with_attribute) {
  const JinjaNesting nesting(depth_, kExpressionNesting, tokens_);
  std::vector<JinjaTarget> parts;
  bool is_tuple = false;
  while (true) {
    if (tokens_.take_operator("(")) {
      parts.push_back(target(with_attribute));
      tokens_.expect_operator(")");
    } else {
      parts.push_back({tokens_.expect(Kind::kName, "a name"), {}, {}});
      if (with_attribute && tokens_.take_operator(".")) parts.back().attribute = tokens_.expect(Kind::kName, "a name");
    }
    if (!tokens_.take_operator(",")) break;
    is_tuple = true;
    if (!tokens_.is(Kind::kName) && !tokens_.is_operator("(")) break;
    if (tokens_.is_name("in")) break;
  }
  return is_tuple ? JinjaTarget{{}, {}, std::move(parts)} : std::move(parts[0]);
}

JinjaExpressionPtr JinjaExpressionParser::block_filters() {
  num_nodes_ = 0;
  JinjaExpressionPtr filters = parse_filter(nullptr);
  while (tokens_.take_operator("|")) filters = parse_filter(std::move(filters));
  return filters;
}

JinjaExpressionPtr JinjaExpressionParser::parse_expression(bool with_condition) {
  const JinjaNesting nesting(depth_, kExpressionNesting, tokens_);
  JinjaExpressionPtr value = parse_or();
  while (with_condition && tokens_.is_name("if")) {
    const int line = tokens_.next().line;
    enter_condition();
    ConditionalNode node{parse_or(), std::move(value), nullptr};
    if (tokens_.take_name("else")) node.otherwise = parse_expression();
    leave_condition();
    value = make(line, std::move(node));
  }
  return value;
}

JinjaExpressionPtr JinjaExpressionParser::parse_tuple(bool with_condition, bool in_parentheses) {
  const int line = tokens_.line();
  JinjaExpressions items;
  bool is_tuple = false;
  const auto at_end = [&] {
    return tokens_.is(Kind::kVariableEnd) || tokens_.is(Kind::kTagEnd) || tokens_.is_operator(")") ||
           tokens_.is_name("recursive");
  };
  while (!at_end()) {
    items.push_back(parse_expression(with_condition));
    if (!tokens_.take_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && items.size() == 1) return std::move(items[0]);
  if (!is_tuple && !in_parentheses)
    tokens_.fail_here("found ", describe(tokens_.current()), ", expected an expression");
  return make(line, ListNode{true, std::move(items)});
}

JinjaExpressionPtr JinjaExpressionParser::parse_or() {
  JinjaExpressionPtr left = parse_and();
  while (tokens_.is_name("or")) {
    const int line = tokens_.next().line;
    left = make(line, LogicNode{false, std::move(left), parse_and()});
  }
  return left;
}

JinjaExpressionPtr JinjaExpressionParser::parse_and() {
  JinjaExpressionPtr left = parse_not();
  while (tokens_.is_name("and")) {
    const int line = tokens_.next().line;
    left = make(line, LogicNode{true, std::move(left), parse_not()});
  }
  return left;
}

JinjaExpressionPtr JinjaExpressionParser::parse_not() {
  const JinjaNesting nesting(depth_, kExpressionNesting, tokens_);
  const int line = tokens_.line();
  if (tokens_.take_name("not")) return make(line, NotNode{parse_not()});
  return parse_comparison();
}

/// The comparison that stands here, gone past; null where there is none.
const JinjaOperator* JinjaExpressionParser::take_comparison() {
  for (const char* op : {"==", "!=", "<", "<=", ">", ">="}) {
    if (tokens_.take_operator(op)) return operator_named(op);
  }
  if (tokens_.take_name("in")) return operator_named("in");
  const JinjaToken& behind = tokens_.behind();
  if (!tokens_.is_name("not") || behind.kind != Kind::kName || behind.text != "in") return nullptr;
  tokens_.next();
  tokens_.next();
  return operator_named("not in");
}

JinjaExpressionPtr JinjaExpressionParser::parse_comparison() {
  const int line = tokens_.line();
  JinjaExpressionPtr first = parse_sum();
  std::vector<std::pair<const JinjaOperator*, JinjaExpressionPtr>> rest;
  while (const JinjaOperator* op = take_comparison()) rest.emplace_back(op, parse_sum());
  if (rest.empty()) return first;
  if (rest.size() == 1) return make(line, BinaryNode{rest[0].first, std::move(first), std::move(rest[0].second)});
  return make(line, ComparisonNode{std::move(first), std::move(rest)});
}

template <class Operand>
JinjaExpressionPtr JinjaExpressionParser::parse_chain(std::initializer_list<std::string_view> operators,
                                                      const Operand& operand) {
  JinjaExpressionPtr left = operand();
  while (tokens_.is(Kind::kOperator) &&
         std::find(operators.begin(), operators.end(), tokens_.current().text) != operators.end()) {
    const JinjaToken op = tokens_.next();
    left = make(op.line, BinaryNode{operator_named(op.text), std::move(left), operand()});
  }
  return left;
}

JinjaExpressionPtr JinjaExpressionParser::parse_sum() {
  return parse_chain({"+", "-"}, [&] { return parse_concat(); });
}

JinjaExpressionPtr JinjaExpressionParser::parse_concat() {
  const int line = tokens_.line();
  JinjaExpressions parts;
  parts.push_back(parse_product());
  while (tokens_.take_operator("~")) parts.push_back(parse_product());
  return parts.size() == 1 ? std::move(parts[0]) : make(line, ConcatNode{std::move(parts)});
}

JinjaExpressionPtr JinjaExpressionParser::parse_product() {
  return parse_chain({"*", "/", "//", "%"}, [&] { return parse_power(); });
}

JinjaExpressionPtr JinjaExpressionParser::parse_power() {
  return parse_chain({"**"}, [&] { return parse_unary(true); });
}

JinjaExpressionPtr JinjaExpressionParser::parse_unary(bool with_filters) {
  const JinjaNesting nesting(depth_, kExpressionNesting, tokens_);
  const int line = tokens_.line();
  JinjaExpressionPtr value;
  if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
    const bool negative = tokens_.next().text == "-";
    value = make(line, SignNode{negative, parse_unary(false)});
  } else {
    value = parse_primary();
  }
  value = parse_postfix(std::move(value));
  return with_filters ? parse_filters(std::move(value)) : std::move(value);
}

JinjaExpressionPtr JinjaExpressionParser::parse_primary() {
  const int line = tokens_.line();
  if (tokens_.is(Kind::kName)) return parse_name();
  if (tokens_.is(Kind::kInteger) || tokens_.is(Kind::kFloat)) return parse_number();
  if (tokens_.is(Kind::kString)) {
    std::string text;
    while (tokens_.is(Kind::kString)) text += tokens_.next().text;
    return make(line, ConstantNode{TemplateValue::text(std::move(text))});
  }
  if (tokens_.take_operator("(")) {
    JinjaExpressionPtr value = parse_tuple(true, true);
    tokens_.expect_operator(")");
    return value;
  }
  if (tokens_.take_operator("[")) return parse_list();
  if (tokens_.take_operator("{")) return parse_dict();
  tokens_.fail_here("found ", describe(tokens_.current()), ", expected an expression");
}

JinjaExpressionPtr JinjaExpressionParser::parse_name() {
  const JinjaToken token = tokens_.next();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return make(token.line, ConstantNode{TemplateValue::boolean(true)});
  if (name == "false" || name == "False") return make(token.line, ConstantNode{TemplateValue::boolean(false)});
  if (name == "none" || name == "None") return make(token.line, ConstantNode{TemplateValue()});
  saw_varargs_ = saw_varargs_ || name == "varargs";
  saw_kwargs_ = saw_kwargs_ || name == "kwargs";
  return make(token.line, NameNode{name});
}

JinjaExpressionPtr JinjaExpressionParser::parse_number() {
  const JinjaToken token = tokens_.current();
  if (token.kind == Kind::kFloat) {
    const auto value = vlsi::parse_number(std::string_view(token.text));
    if (!value) tokens_.fail_here("the number ", token.text, " is too large");
    tokens_.next();
    return make(token.line, ConstantNode{TemplateValue::number(*value)});
  }
  std::string_view digits = token.text;
  const char kind = digits.size() > 2 ? static_cast<char>(digits[1] | 0x20) : '\0';
  const int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
  if (base != 10) digits.remove_prefix(2);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size())
    tokens_.fail_here("the number ", token.text, " is none of 64 bits");
  tokens_.next();
  return make(token.line, ConstantNode{TemplateValue::integer(value)});
}

JinjaExpressionPtr JinjaExpressionParser::parse_list() {
  const int line = tokens_.line();
  JinjaExpressions items;
  while (!tokens_.take_operator("]")) {
    if (!items.empty()) tokens_.expect_operator(",");
    if (tokens_.take_operator("]")) break;
    items.push_back(parse_expression());
  }
  return make(line, ListNode{false, std::move(items)});
}

JinjaExpressionPtr JinjaExpressionParser::parse_dict() {
  const int line = tokens_.line();
  DictNode node;
  while (!tokens_.take_operator("}")) {
    if (!node.entries.empty()) tokens_.expect_operator(",");
    if (tokens_.take_operator("}")) break;
    JinjaExpressionPtr key = parse_expression();
    tokens_.expect_operator(":");
    node.entries.emplace_back(std::move(key), parse_expression());
  }
  return make(line, std::move(node));
}

JinjaExpressionPtr JinjaExpressionParser::parse_postfix(JinjaExpressionPtr operand) {
  while (true) {
    if (tokens_.take_operator(".")) {
      operand = parse_attribute(std::move(operand));
    } else if (tokens_.take_operator("[")) {
      operand = parse_subscript(std::move(operand));
    } else if (tokens_.is_operator("(")) {
      operand = parse_call(std::move(operand));
    } else {
      return operand;
    }
  }
}

JinjaExpressionPtr JinjaExpressionParser::parse_attribute(JinjaExpressionPtr operand) {
  const int line = tokens_.line();
  if (tokens_.is(Kind::kInteger)) return make(line, ItemNode{std::move(operand), parse_number()});
  return make(line, AttributeNode{std::move(operand), tokens_.expect(Kind::kName, "a name or a number")});
}

JinjaExpressionPtr JinjaExpressionParser::parse_subscript(JinjaExpressionPtr operand) {
  const int line = tokens_.line();
  JinjaExpressionPtr bounds[3];
  int num_colons = 0;
  while (!tokens_.is_operator("]")) {
    if (num_colons < 2 && tokens_.take_operator(":")) {
      ++num_colons;
    } else if (bounds[num_colons] == nullptr) {
      bounds[num_colons] = parse_expression();
    } else {
      tokens_.fail_here("found ", describe(tokens_.current()), ", expected ']'");
    }
  }
  tokens_.expect_operator("]");
  if (num_colons > 0)
    return make(line, SliceNode{std::move(operand), std::move(bounds[0]), std::move(bounds[1]), std::move(bounds[2])});
  if (bounds[0] == nullptr) tokens_.fail_here("found ']', expected an expression");
  return make(line, ItemNode{std::move(operand), std::move(bounds[0])});
}

JinjaExpressionPtr JinjaExpressionParser::parse_call(JinjaExpressionPtr operand) {
  const int line = tokens_.line();
  return make(line, CallNode{std::move(operand), parse_arguments()});
}

/// Filters, tests, and calls of what they give.
JinjaExpressionPtr JinjaExpressionParser::parse_filters(JinjaExpressionPtr operand) {
  while (true) {
    if (tokens_.take_operator("|")) {
      operand = parse_filter(std::move(operand));
    } else if (tokens_.take_name("is")) {
      operand = parse_test(std::move(operand));
    } else if (tokens_.is_operator("(")) {
      operand = parse_call(std::move(operand));
    } else {
      return operand;
    }
  }
}

const JinjaBuiltin* JinjaExpressionParser::take_builtin(const Table<JinjaBuiltin>& table, std::string_view kind) {
  if (!tokens_.is(Kind::kName))
    tokens_.fail_here("found ", describe(tokens_.current()), ", expected the name of a ", kind);
  const JinjaBuiltin* found = table.find(tokens_.current().text);
  if (found == nullptr && num_conditions_ == 0) tokens_.fail_here("unknown ", kind, " '", tokens_.current().text, "'");
  tokens_.next();
  return found;
}

JinjaExpressionPtr JinjaExpressionParser::parse_filter(JinjaExpressionPtr operand) {
  const int line = tokens_.line();
  std::string name = tokens_.current().text;
  const JinjaBuiltin* filter = take_builtin(jinja_filters(), "filter");
  auto arguments = tokens_.is_operator("(") ? parse_arguments() : JinjaArgumentList{};
  return make(line, FilterNode{std::move(operand), std::move(name), filter, std::move(arguments)});
}

JinjaExpressionPtr JinjaExpressionParser::parse_test(JinjaExpressionPtr operand) {
  const int line = tokens_.line();
  const bool negated = tokens_.take_name("not");
  std::string name = tokens_.current().text;
  const JinjaBuiltin* test = take_builtin(jinja_tests(), "test");
  JinjaArgumentList arguments;
  const bool ends = tokens_.is_name("else") || tokens_.is_name("or") || tokens_.is_name("and") || tokens_.is_name("if");
  const bool has_operand = tokens_.is(Kind::kName) || tokens_.is(Kind::kString) || tokens_.is(Kind::kInteger) ||
                           tokens_.is(Kind::kFloat) || tokens_.is_operator("[") || tokens_.is_operator("{");
  if (tokens_.is_operator("(")) {
    arguments = parse_arguments();
  } else if (has_operand && !ends) {
    if (tokens_.is_name("is")) tokens_.fail_here("two tests one behind the other");
    arguments.positional.push_back(parse_postfix(parse_primary()));
  }
  JinjaExpressionPtr result = make(line, TestNode{std::move(operand), std::move(name), test, std::move(arguments)});
  return negated ? make(line, NotNode{std::move(result)}) : std::move(result);
}

JinjaArgumentList JinjaExpressionParser::parse_arguments() {
  JinjaArgumentList arguments;
  bool is_first = true;
  tokens_.expect_operator("(");
  while (!tokens_.take_operator(")")) {
    if (!is_first) tokens_.expect_operator(",");
    is_first = false;
    if (tokens_.take_operator(")")) break;
    const bool starred = arguments.more_positional || arguments.more_named;
    if (tokens_.take_operator("*")) {
      if (starred) tokens_.fail_here("a second '*' in a call");
      arguments.more_positional = parse_expression();
    } else if (tokens_.take_operator("**")) {
      if (arguments.more_named) tokens_.fail_here("a second '**' in a call");
      arguments.more_named = parse_expression();
    } else if (tokens_.is(Kind::kName) && tokens_.behind().kind == Kind::kOperator && tokens_.behind().text == "=") {
      std::string name = tokens_.next().text;
      tokens_.next();
      arguments.named.emplace_back(std::move(name), parse_expression());
    } else {
      if (starred || !arguments.named.empty()) tokens_.fail_here("a value without a name behind one with a name");
      arguments.positional.push_back(parse_expression());
    }
  }
  return arguments;
}

}  // namespace vlsi
