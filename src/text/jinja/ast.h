// What a template says, as a tree.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/template_value.h"

namespace vlsi {

struct JinjaExpression;
struct JinjaBuiltin;
struct JinjaOperator;
struct JinjaStatement;

using JinjaExpressionPtr = std::unique_ptr<const JinjaExpression>;
using JinjaExpressions = std::vector<JinjaExpressionPtr>;
using JinjaBody = std::vector<JinjaStatement>;

struct JinjaArgumentList {
  JinjaExpressions positional;
  std::vector<std::pair<std::string, JinjaExpressionPtr>> named;
  JinjaExpressionPtr more_positional, more_named;  // *a and **b; null where there is none
};

struct ConstantNode {
  TemplateValue value;
};
struct NameNode {
  std::string name;
};
struct NotNode {
  JinjaExpressionPtr operand;
};
struct SignNode {
  bool negative;
  JinjaExpressionPtr operand;
};
/// Arithmetic, and comparisons of two.
struct BinaryNode {
  const JinjaOperator* op;
  JinjaExpressionPtr left, right;
};
/// a < b <= c
struct ComparisonNode {
  JinjaExpressionPtr first;
  std::vector<std::pair<const JinjaOperator*, JinjaExpressionPtr>> rest;
};
/// a ~ b ~ c
struct ConcatNode {
  JinjaExpressions parts;
};
/// `and` and `or` of two.
struct LogicNode {
  bool is_and;
  JinjaExpressionPtr left, right;
};
/// `value if condition else otherwise`; the last may be null.
struct ConditionalNode {
  JinjaExpressionPtr condition, value, otherwise;
};
struct AttributeNode {
  JinjaExpressionPtr object;
  std::string name;
};
struct ItemNode {
  JinjaExpressionPtr object, key;
};
/// object[start:stop:step]; each of them may be null.
struct SliceNode {
  JinjaExpressionPtr object, start, stop, step;
};
struct CallNode {
  JinjaExpressionPtr callee;
  JinjaArgumentList arguments;
};
struct FilterNode {
  JinjaExpressionPtr operand;  // null where it is a block's text
  std::string name;
  const JinjaBuiltin* filter;  // null where it is unknown, which is an error once it is applied
  JinjaArgumentList arguments;
};
struct TestNode {
  JinjaExpressionPtr operand;
  std::string name;
  const JinjaBuiltin* test;  // as `filter`
  JinjaArgumentList arguments;
};
struct ListNode {
  bool is_tuple;
  JinjaExpressions items;
};
struct DictNode {
  std::vector<std::pair<JinjaExpressionPtr, JinjaExpressionPtr>> entries;
};

struct JinjaExpression {
  int line;
  std::variant<ConstantNode, NameNode, NotNode, SignNode, BinaryNode, ComparisonNode, ConcatNode, LogicNode,
               ConditionalNode, AttributeNode, ItemNode, SliceNode, CallNode, FilterNode, TestNode, ListNode, DictNode>
      node;
};

/// What a value is given to: a name, an attribute of a namespace, or several of these.
struct JinjaTarget {
  std::string name, attribute;
  std::vector<JinjaTarget> parts;  // neither name nor attribute where it has some
};

struct TextNode {
  TemplateValue text;
};
struct OutputNode {
  JinjaExpressionPtr value;
};
struct IfNode {
  std::vector<std::pair<JinjaExpressionPtr, JinjaBody>> branches;
  JinjaBody otherwise;
};
struct ForNode {
  JinjaTarget target;
  JinjaExpressionPtr iterable, condition;  // the latter may be null
  bool recursive;
  JinjaBody body, otherwise;
};
struct SetNode {
  JinjaTarget target;
  JinjaExpressionPtr value;
};
/// {% set a %}...{% endset %}; the filter may be null.
struct SetBlockNode {
  JinjaTarget target;
  JinjaExpressionPtr filter;
  JinjaBody body;
};
struct WithNode {
  std::vector<std::pair<JinjaTarget, JinjaExpressionPtr>> values;
  JinjaBody body;
};
struct MacroNode {
  std::string name;
  std::vector<std::pair<std::string, JinjaExpressionPtr>> parameters;  // with their defaults, or null
  bool uses_varargs = false, uses_kwargs = false;
  JinjaBody body;
};
/// {% call(a) m() %}: `caller` is what stands in the block.
struct CallBlockNode {
  MacroNode caller;
  JinjaExpressionPtr call;  // its node is a CallNode
};
struct FilterBlockNode {
  JinjaExpressionPtr filter;
  JinjaBody body;
};
struct GenerationNode {
  JinjaBody body;
};
struct LoopControlNode {
  bool is_break;
};

struct JinjaStatement {
  int line;
  std::variant<TextNode, OutputNode, IfNode, ForNode, SetNode, SetBlockNode, WithNode, MacroNode, CallBlockNode,
               FilterBlockNode, GenerationNode, LoopControlNode>
      node;
};

struct JinjaTemplate {
  std::string source, place;
  JinjaBody body;
  bool has_generation = false;
};

}  // namespace vlsi
