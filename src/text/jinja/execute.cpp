// The interpreter's statements.
#include <algorithm>
#include <utility>
#include <variant>

#include "text/jinja/interpreter.h"
#include "text/jinja/loop_object.h"
#include "text/jinja/python_values.h"

namespace vlsi {
namespace {

/// A macro, and where it was defined.
class MacroObject : public TemplateObject {
 public:
  MacroObject(JinjaInterpreter& interpreter, const MacroNode& macro, std::shared_ptr<JinjaScope> scope)
      : interpreter_(interpreter), macro_(macro), scope_(std::move(scope)) {}

  std::string_view type_name() const override { return "Macro"; }
  bool is_callable() const override { return true; }
  std::optional<TemplateValue> attribute(std::string_view name) override {
    if (name != "name") return std::nullopt;
    return TemplateValue::text(macro_.name);
  }
  TemplateValue call(JinjaContext&, JinjaArguments arguments) override {
    return interpreter_.call_macro(macro_, scope_, std::move(arguments));
  }
  void release() override { scope_.reset(); }

 private:
  JinjaInterpreter& interpreter_;
  const MacroNode& macro_;
  std::shared_ptr<JinjaScope> scope_;
};

}  // namespace

TracedText run_jinja(const JinjaTemplate& jinja, const TemplateValue& variables) {
  return JinjaInterpreter(jinja, variables).run();
}

JinjaInterpreter::JinjaInterpreter(const JinjaTemplate& jinja, const TemplateValue& variables)
    : jinja_(jinja), variables_(variables), context_(jinja.place) {}

TracedText JinjaInterpreter::run() {
  execute(jinja_.body);
  return std::move(output_);
}

JinjaInterpreter::Flow JinjaInterpreter::execute(const JinjaBody& body) {
  for (const auto& statement : body) {
    const Level level(*this, statement.line);
    const Flow flow = std::visit([&](const auto& node) { return run_statement(node); }, statement.node);
    if (flow != Flow::kGoOn) return flow;
  }
  return Flow::kGoOn;
}

void JinjaInterpreter::write(const TracedText& text) {
  context_.make(text.num_bytes());
  output_.append(text);
  if (output_.size() > JinjaLimits::kOutputBytes)
    context_.fail("the template writes more than ", JinjaLimits::kOutputBytes, " bytes");
}

JinjaInterpreter::Flow JinjaInterpreter::capture(const JinjaBody& body, TracedText& text) {
  const InScope scope(*this, scope_);
  std::swap(output_, text);
  const Flow flow = execute(body);
  std::swap(output_, text);
  return flow;
}

void JinjaInterpreter::assign(const JinjaTarget& target, const TemplateValue& value) {
  if (target.parts.empty() && target.attribute.empty()) {
    scope_->values.insert_or_assign(target.name, value);
  } else if (target.parts.empty()) {
    const TemplateValue space = value_of(NameNode{target.name});
    auto* object = dynamic_cast<NamespaceObject*>(space.as_object());
    if (object == nullptr)
      context_.fail("'", target.name, ".", target.attribute, "' cannot be set: '", target.name, "' is no namespace");
    object->set(context_, target.attribute, value);
  } else {
    if (value.is_undefined()) context_.fail(value.what());
    const auto items = items_of(context_, value);
    if (items.size() != target.parts.size()) context_.fail(items.size(), " values for ", target.parts.size(), " names");
    for (size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i]);
  }
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const TextNode& node) {
  write(*node.text.as_text());
  return Flow::kGoOn;
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const OutputNode& node) {
  write(printed(context_, evaluate(*node.value)));
  return Flow::kGoOn;
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const IfNode& node) {
  for (const auto& [condition, body] : node.branches) {
    if (is_true(evaluate(*condition))) return execute(body);
  }
  return execute(node.otherwise);
}

std::vector<TemplateValue> JinjaInterpreter::loop_items(const ForNode& node, const TemplateValue& iterable) {
  std::vector<TemplateValue> items = items_of(context_, iterable);
  if (!node.condition) return items;
  std::erase_if(items, [&](const TemplateValue& item) {
    const InScope scope(*this, scope_);
    assign(node.target, item);
    return !is_true(evaluate(*node.condition));
  });
  return items;
}

JinjaInterpreter::Flow JinjaInterpreter::run_loop(const ForNode& node, const TemplateValue& iterable, int64_t depth) {
  const auto loop = std::make_shared<LoopObject>(loop_items(node, iterable), depth);
  if (node.recursive) {
    loop->set_recursion([this, &node, outer = scope_, depth](const TemplateValue& inner) {
      return recurse(node, outer, inner, depth + 1);
    });
  }
  bool any_finished = false;  // Jinja2's `else` is for loops of which no round came to its end
  for (; !loop->at_end(); loop->advance()) {
    const InScope scope(*this, scope_);
    context_.look_at(1);
    scope_->values.emplace("loop", TemplateValue::object(loop));
    assign(node.target, loop->item());
    const Flow flow = execute(node.body);
    if (flow == Flow::kBreak) break;
    any_finished = any_finished || flow == Flow::kGoOn;
  }
  if (any_finished) return Flow::kGoOn;
  const InScope scope(*this, scope_);
  return execute(node.otherwise);
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const ForNode& node) {
  return run_loop(node, evaluate(*node.iterable), 0);
}

TemplateValue JinjaInterpreter::recurse(const ForNode& loop, const std::shared_ptr<JinjaScope>& scope,
                                        const TemplateValue& items, int64_t depth) {
  const Level level(*this, context_.line());
  const InScope inner(*this, scope);
  TracedText text;
  std::swap(output_, text);
  run_loop(loop, items, depth);
  std::swap(output_, text);
  return context_.made(TemplateValue::text(std::move(text)));
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const SetNode& node) {
  assign(node.target, evaluate(*node.value));
  return Flow::kGoOn;
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const SetBlockNode& node) {
  TracedText text;
  const Flow flow = capture(node.body, text);
  if (flow != Flow::kGoOn) return flow;
  const TemplateValue value = TemplateValue::text(std::move(text));
  assign(node.target, node.filter ? apply_filters(*node.filter, value) : value);
  return Flow::kGoOn;
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const WithNode& node) {
  std::vector<TemplateValue> values;
  for (const auto& [target, value] : node.values) values.push_back(evaluate(*value));
  const InScope scope(*this, scope_);
  for (size_t i = 0; i < values.size(); ++i) assign(node.values[i].first, values[i]);
  return execute(node.body);
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const MacroNode& node) {
  scope_->values.insert_or_assign(node.name, TemplateValue::object(make_macro(node)));
  return Flow::kGoOn;
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const CallBlockNode& node) {
  const auto& call_node = std::get<CallNode>(node.call->node);
  const TemplateValue callee = evaluate(*call_node.callee);
  JinjaArguments arguments = evaluate_arguments(call_node.arguments);
  arguments.named.emplace_back("caller", TemplateValue::object(make_macro(node.caller)));
  write(printed(context_, call(callee, std::move(arguments))));
  return Flow::kGoOn;
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const FilterBlockNode& node) {
  TracedText text;
  const Flow flow = capture(node.body, text);
  if (flow != Flow::kGoOn) return flow;
  write(printed(context_, apply_filters(*node.filter, TemplateValue::text(std::move(text)))));
  return Flow::kGoOn;
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const GenerationNode& node) {
  TracedText text;
  capture(node.body, text);
  text.mark_generated();
  write(text);
  return Flow::kGoOn;
}

JinjaInterpreter::Flow JinjaInterpreter::run_statement(const LoopControlNode& node) {
  return node.is_break ? Flow::kBreak : Flow::kContinue;
}

std::shared_ptr<TemplateObject> JinjaInterpreter::make_macro(const MacroNode& macro) {
  auto object = std::make_shared<MacroObject>(*this, macro, scope_);
  context_.keep(object);
  return object;
}

TemplateValue JinjaInterpreter::call_macro(const MacroNode& macro, const std::shared_ptr<JinjaScope>& scope,
                                           JinjaArguments arguments) {
  const Level level(*this, context_.line());
  const InScope inner(*this, scope);
  bind_parameters(macro, std::move(arguments));
  TracedText text;
  std::swap(output_, text);
  execute(macro.body);
  std::swap(output_, text);
  return context_.made(TemplateValue::text(std::move(text)));
}

void JinjaInterpreter::bind_parameters(const MacroNode& macro, JinjaArguments arguments) {
  auto& values = scope_->values;
  const auto num_positional = std::min(arguments.positional.size(), macro.parameters.size());
  for (size_t i = 0; i < num_positional; ++i)
    values.insert_or_assign(macro.parameters[i].first, arguments.positional[i]);
  TemplateDict more_named;
  for (auto& [name, value] : arguments.named) {
    const bool known = name == "caller" || std::any_of(macro.parameters.begin(), macro.parameters.end(),
                                                       [&](const auto& parameter) { return parameter.first == name; });
    if (values.contains(name)) context_.fail("the macro '", macro.name, "' is given '", name, "' twice");
    if (!known && !macro.uses_kwargs) context_.fail("the macro '", macro.name, "' has no parameter '", name, "'");
    if (known)
      values.emplace(name, std::move(value));
    else
      more_named.set(name, std::move(value));
  }
  if (arguments.positional.size() > macro.parameters.size() && !macro.uses_varargs) {
    context_.fail("the macro '", macro.name, "' takes ", macro.parameters.size(), " values, and is given ",
                  arguments.positional.size());
  }
  if (macro.uses_kwargs) values.emplace("kwargs", TemplateValue::dict(std::move(more_named)));
  if (macro.uses_varargs) {
    arguments.positional.erase(arguments.positional.begin(),
                               arguments.positional.begin() + static_cast<std::ptrdiff_t>(num_positional));
    values.emplace("varargs", TemplateValue::sequence(
                                  {.form = TemplateSequence::Form::kTuple, .items = std::move(arguments.positional)}));
  }
  for (const auto& [name, otherwise] : macro.parameters) {
    if (values.contains(name)) continue;
    values.emplace(name, otherwise ? evaluate(*otherwise)
                                   : TemplateValue::undefined(concat("parameter '", name, "' was not provided")));
  }
}

}  // namespace vlsi
