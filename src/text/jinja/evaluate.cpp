// The interpreter's expressions.
#include <utility>
#include <variant>

#include "text/jinja/interpreter.h"
#include "text/jinja/library/call.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_values.h"
#include "text/jinja/subscript.h"

namespace vlsi {

TemplateValue JinjaInterpreter::evaluate(const JinjaExpression& expression) {
  const Level level(*this, expression.line);
  return std::visit([&](const auto& node) { return value_of(node); }, expression.node);
}

TemplateValue JinjaInterpreter::evaluate_or_none(const JinjaExpressionPtr& expression) {
  return expression ? evaluate(*expression) : TemplateValue();
}

TemplateValue JinjaInterpreter::value_of(const ConstantNode& node) { return node.value; }

TemplateValue JinjaInterpreter::value_of(const NameNode& node) {
  for (const JinjaScope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    const auto found = scope->values.find(node.name);
    if (found != scope->values.end()) return found->second;
  }
  if (const TemplateValue* variable = variables_.as_dict()->find(node.name)) return *variable;
  if (const JinjaBuiltin* function = jinja_functions().find(node.name)) return bound_builtin(*function, {});
  return TemplateValue::undefined(concat("'", node.name, "' is undefined"));
}

TemplateValue JinjaInterpreter::value_of(const NotNode& node) {
  return TemplateValue::boolean(!is_true(evaluate(*node.operand)));
}

TemplateValue JinjaInterpreter::value_of(const SignNode& node) {
  const TemplateValue value = evaluate(*node.operand);
  if (value.is_undefined()) context_.fail(value.what());
  if (!value.real()) context_.fail("a ", value.type_name(), " has no sign");
  static const JinjaOperator *plus = jinja_operators().find("+"), *minus = jinja_operators().find("-");
  if (value.as_number()) return TemplateValue::number(node.negative ? -*value.as_number() : *value.as_number());
  return (node.negative ? minus : plus)->apply(context_, TemplateValue::integer(0), value);
}

TemplateValue JinjaInterpreter::value_of(const BinaryNode& node) {
  const TemplateValue left = evaluate(*node.left), right = evaluate(*node.right);
  return context_.made(node.op->apply(context_, left, right));
}

TemplateValue JinjaInterpreter::value_of(const ComparisonNode& node) {
  TemplateValue left = evaluate(*node.first);
  for (const auto& [op, operand] : node.rest) {
    TemplateValue right = evaluate(*operand);
    if (!is_true(op->apply(context_, left, right))) return TemplateValue::boolean(false);
    left = std::move(right);
  }
  return TemplateValue::boolean(true);
}

TemplateValue JinjaInterpreter::value_of(const ConcatNode& node) {
  TracedText text;
  for (const auto& part : node.parts) {
    const TemplateValue value = evaluate(*part);
    context_.make(value.size());
    text.append(printed(context_, value));
  }
  return context_.made(TemplateValue::text(std::move(text)));
}

TemplateValue JinjaInterpreter::value_of(const LogicNode& node) {
  TemplateValue left = evaluate(*node.left);
  return is_true(left) == node.is_and ? evaluate(*node.right) : left;
}

TemplateValue JinjaInterpreter::value_of(const ConditionalNode& node) {
  if (is_true(evaluate(*node.condition))) return evaluate(*node.value);
  if (node.otherwise) return evaluate(*node.otherwise);
  return TemplateValue::undefined("the condition of an expression without an else is false");
}

TemplateValue JinjaInterpreter::value_of(const AttributeNode& node) {
  return attribute_of(context_, evaluate(*node.object), node.name);
}

TemplateValue JinjaInterpreter::value_of(const ItemNode& node) {
  const TemplateValue object = evaluate(*node.object);
  return item_of(context_, object, evaluate(*node.key));
}

TemplateValue JinjaInterpreter::value_of(const SliceNode& node) {
  const TemplateValue object = evaluate(*node.object);
  const TemplateValue start = evaluate_or_none(node.start), stop = evaluate_or_none(node.stop);
  return context_.made(slice_of(context_, object, start, stop, evaluate_or_none(node.step)));
}

JinjaArguments JinjaInterpreter::evaluate_arguments(const JinjaArgumentList& list) {
  JinjaArguments arguments;
  for (const auto& argument : list.positional) arguments.positional.push_back(evaluate(*argument));
  for (const auto& [name, argument] : list.named) arguments.named.emplace_back(name, evaluate(*argument));
  if (list.more_positional) {
    for (auto& item : items_of(context_, evaluate(*list.more_positional)))
      arguments.positional.push_back(std::move(item));
  }
  if (list.more_named) {
    const TemplateValue more = evaluate(*list.more_named);
    if (more.as_dict() == nullptr) context_.fail("'**' wants a dict, and is given a ", more.type_name());
    context_.make(more.size() * JinjaLimits::kBytesPerEntry);
    for (const auto& [key, value] : more.as_dict()->entries()) {
      if (key.as_text() == nullptr) context_.fail("'**' wants a dict whose keys are texts");
      arguments.named.emplace_back(key.as_text()->bytes(), value);
    }
  }
  return arguments;
}

TemplateValue JinjaInterpreter::call(const TemplateValue& callee, JinjaArguments arguments) {
  if (callee.is_undefined()) context_.fail(callee.what());
  if (callee.as_object() == nullptr) context_.fail("a ", callee.type_name(), " is no function");
  return callee.as_object()->call(context_, std::move(arguments));
}

TemplateValue JinjaInterpreter::value_of(const CallNode& node) {
  const TemplateValue callee = evaluate(*node.callee);
  return call(callee, evaluate_arguments(node.arguments));
}

TemplateValue JinjaInterpreter::value_of(const FilterNode& node) { return apply_filter(node, evaluate(*node.operand)); }

TemplateValue JinjaInterpreter::apply_filters(const JinjaExpression& filters, const TemplateValue& text) {
  const Level level(*this, filters.line);
  const auto& node = std::get<FilterNode>(filters.node);
  const TemplateValue operand = node.operand ? apply_filters(*node.operand, text) : text;
  return apply_filter(node, operand);
}

TemplateValue JinjaInterpreter::apply_filter(const FilterNode& node, const TemplateValue& operand) {
  if (node.filter == nullptr) context_.fail("unknown filter '", node.name, "'");
  return apply_builtin(context_, *node.filter, operand, evaluate_arguments(node.arguments));
}

TemplateValue JinjaInterpreter::value_of(const TestNode& node) {
  const TemplateValue operand = evaluate(*node.operand);
  if (node.test == nullptr) context_.fail("unknown test '", node.name, "'");
  return apply_builtin(context_, *node.test, operand, evaluate_arguments(node.arguments));
}

TemplateValue JinjaInterpreter::value_of(const ListNode& node) {
  TemplateSequence sequence{.form = node.is_tuple ? TemplateSequence::Form::kTuple : TemplateSequence::Form::kList,
                            .items = {}};
  for (const auto& item : node.items) sequence.items.push_back(evaluate(*item));
  return context_.made(TemplateValue::sequence(std::move(sequence)));
}

TemplateValue JinjaInterpreter::value_of(const DictNode& node) {
  TemplateDict dict;
  for (const auto& [key, value] : node.entries) {
    const TemplateValue name = evaluate(*key);
    if (!TemplateDict::can_be_key(name)) context_.fail("a ", name.type_name(), " can be no key of a dict");
    dict.set(name, evaluate(*value));
  }
  return context_.made(TemplateValue::dict(std::move(dict)));
}

}  // namespace vlsi
