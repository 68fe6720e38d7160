// Runs templates.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/context.h"
#include "text/jinja/template_object.h"
#include "text/jinja/template_value.h"
#include "text/jinja/traced_text.h"

namespace vlsi {

/// The text that the template writes with these variables, a dict. Error "place:LINE: ..." for what goes wrong.
TracedText run_jinja(const JinjaTemplate& jinja, const TemplateValue& variables);

/// Names that were given values; those of the parent are seen, too.
struct JinjaScope {
  std::shared_ptr<JinjaScope> parent;
  std::map<std::string, TemplateValue, std::less<>> values = {};
};

class JinjaInterpreter {
 public:
  JinjaInterpreter(const JinjaTemplate& jinja, const TemplateValue& variables);

  TracedText run();
  /// The text of a macro whose definition stands in `scope`.
  TemplateValue call_macro(const MacroNode& macro, const std::shared_ptr<JinjaScope>& scope, JinjaArguments arguments);
  /// The text of a loop's body for these items, `depth` levels below the loop itself.
  TemplateValue recurse(const ForNode& loop, const std::shared_ptr<JinjaScope>& scope, const TemplateValue& items,
                        int64_t depth);

 private:
  /// What the statements behind one that ran have to do.
  enum class Flow { kGoOn, kBreak, kContinue };
  /// A level of evaluation, and its line.
  class Level;
  /// Another scope, while it lives.
  class InScope;

  TemplateValue evaluate(const JinjaExpression& expression);
  TemplateValue value_of(const ConstantNode& node);
  TemplateValue value_of(const NameNode& node);
  TemplateValue value_of(const NotNode& node);
  TemplateValue value_of(const SignNode& node);
  TemplateValue value_of(const BinaryNode& node);
  TemplateValue value_of(const ComparisonNode& node);
  TemplateValue value_of(const ConcatNode& node);
  TemplateValue value_of(const LogicNode& node);
  TemplateValue value_of(const ConditionalNode& node);
  TemplateValue value_of(const AttributeNode& node);
  TemplateValue value_of(const ItemNode& node);
  TemplateValue value_of(const SliceNode& node);
  TemplateValue value_of(const CallNode& node);
  TemplateValue value_of(const FilterNode& node);
  TemplateValue value_of(const TestNode& node);
  TemplateValue value_of(const ListNode& node);
  TemplateValue value_of(const DictNode& node);
  TemplateValue evaluate_or_none(const JinjaExpressionPtr& expression);
  JinjaArguments evaluate_arguments(const JinjaArgumentList& list);
  TemplateValue call(const TemplateValue& callee, JinjaArguments arguments);
  TemplateValue apply_filter(const FilterNode& node, const TemplateValue& operand);
  /// The filters of a block, applied to its text.
  TemplateValue apply_filters(const JinjaExpression& filters, const TemplateValue& text);

  Flow execute(const JinjaBody& body);
  Flow run_statement(const TextNode& node);
  Flow run_statement(const OutputNode& node);
  Flow run_statement(const IfNode& node);
  Flow run_statement(const ForNode& node);
  Flow run_statement(const SetNode& node);
  Flow run_statement(const SetBlockNode& node);
  Flow run_statement(const WithNode& node);
  Flow run_statement(const MacroNode& node);
  Flow run_statement(const CallBlockNode& node);
  Flow run_statement(const FilterBlockNode& node);
  Flow run_statement(const GenerationNode& node);
  Flow run_statement(const LoopControlNode& node);

  void write(const TracedText& text);
  /// Runs the body in a scope of its own, and stores what it writes in `text`.
  Flow capture(const JinjaBody& body, TracedText& text);
  void assign(const JinjaTarget& target, const TemplateValue& value);
  std::vector<TemplateValue> loop_items(const ForNode& node, const TemplateValue& iterable);
  Flow run_loop(const ForNode& node, const TemplateValue& iterable, int64_t depth);
  void bind_parameters(const MacroNode& macro, JinjaArguments arguments);
  std::shared_ptr<TemplateObject> make_macro(const MacroNode& macro);

  const JinjaTemplate& jinja_;
  const TemplateValue& variables_;
  JinjaContext context_;
  size_t depth_ = 0;
  std::shared_ptr<JinjaScope> scope_ = std::make_shared<JinjaScope>();
  TracedText output_;
};

class JinjaInterpreter::Level {
 public:
  Level(JinjaInterpreter& interpreter, int line)
      : interpreter_(interpreter), line_before_(interpreter.context_.line()) {
    JinjaContext& context = interpreter.context_;
    context.set_line(line);
    context.look_at(1);
    if (++interpreter.depth_ > JinjaLimits::kEvaluationDepth) {
      context.fail("the template goes more than ", JinjaLimits::kEvaluationDepth, " levels deep");
    }
  }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  ~Level() {
    interpreter_.context_.set_line(line_before_);
    --interpreter_.depth_;
  }

 private:
  JinjaInterpreter& interpreter_;
  int line_before_;
};

class JinjaInterpreter::InScope {
 public:
  InScope(JinjaInterpreter& interpreter, std::shared_ptr<JinjaScope> parent)
      : interpreter_(interpreter), before_(std::move(interpreter.scope_)) {
    interpreter.scope_ = std::make_shared<JinjaScope>(JinjaScope{std::move(parent)});
  }
  InScope(const InScope&) = delete;
  InScope& operator=(const InScope&) = delete;
  ~InScope() { interpreter_.scope_ = std::move(before_); }

 private:
  JinjaInterpreter& interpreter_;
  std::shared_ptr<JinjaScope> before_;
};

}  // namespace vlsi
