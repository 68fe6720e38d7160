// Parses what stands in tags: expressions, and what they are given to.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/library/call.h"
#include "text/jinja/token_stream.h"

namespace vlsi {

/// Jinja2's grammar of expressions. Errors name the line.
class JinjaExpressionParser {
 public:
  explicit JinjaExpressionParser(JinjaTokenStream& tokens) : tokens_(tokens) {}

  JinjaExpressionPtr expression();
  /// An expression, or several with commas between, which are a tuple. Without `with_condition`, an `if` ends it.
  JinjaExpressionPtr tuple(bool with_condition);
  /// A name, or several; where `with_attribute`, `space.name`, too.
  JinjaTarget target(bool with_attribute);
  /// `name(arguments)`, and others behind `|`; the first stands for the text of a block.
  JinjaExpressionPtr block_filters();
  /// Between `enter` and `leave`, what stands in tags may never be evaluated: an unknown filter or test there is an
  /// error only where it is, as in Jinja2.
  void enter_condition() { ++num_conditions_; }
  void leave_condition() { --num_conditions_; }
  /// Whether a name of these was in an expression since it was last asked.
  bool take_saw_varargs() { return std::exchange(saw_varargs_, false); }
  bool take_saw_kwargs() { return std::exchange(saw_kwargs_, false); }
  void set_saw(bool varargs, bool kwargs) {
    saw_varargs_ = varargs;
    saw_kwargs_ = kwargs;
  }

 private:
  template <class Node>
  JinjaExpressionPtr make(int line, Node node);

  JinjaExpressionPtr parse_expression(bool with_condition = true);
  JinjaExpressionPtr parse_tuple(bool with_condition, bool in_parentheses);
  JinjaExpressionPtr parse_or();
  JinjaExpressionPtr parse_and();
  JinjaExpressionPtr parse_not();
  JinjaExpressionPtr parse_comparison();
  const JinjaOperator* take_comparison();
  JinjaExpressionPtr parse_sum();
  JinjaExpressionPtr parse_concat();
  JinjaExpressionPtr parse_product();
  JinjaExpressionPtr parse_power();
  JinjaExpressionPtr parse_unary(bool with_filters);
  JinjaExpressionPtr parse_primary();
  JinjaExpressionPtr parse_name();
  JinjaExpressionPtr parse_number();
  JinjaExpressionPtr parse_list();
  JinjaExpressionPtr parse_dict();
  JinjaExpressionPtr parse_postfix(JinjaExpressionPtr operand);
  JinjaExpressionPtr parse_attribute(JinjaExpressionPtr operand);
  JinjaExpressionPtr parse_subscript(JinjaExpressionPtr operand);
  JinjaExpressionPtr parse_call(JinjaExpressionPtr operand);
  JinjaExpressionPtr parse_filters(JinjaExpressionPtr operand);
  JinjaExpressionPtr parse_filter(JinjaExpressionPtr operand);
  JinjaExpressionPtr parse_test(JinjaExpressionPtr operand);
  JinjaArgumentList parse_arguments();
  /// The entry of `table` that the current token names, past which it goes. Null, or an Error, where there is none.
  const JinjaBuiltin* take_builtin(const Table<JinjaBuiltin>& table, std::string_view kind);
  template <class Operand>
  JinjaExpressionPtr parse_chain(std::initializer_list<std::string_view> operators, const Operand& operand);

  JinjaTokenStream& tokens_;
  int depth_ = 0;
  int num_conditions_ = 0;
  size_t num_nodes_ = 0;  // of the expression that is parsed
  bool saw_varargs_ = false, saw_kwargs_ = false;
};

}  // namespace vlsi
