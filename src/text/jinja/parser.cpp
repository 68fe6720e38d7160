#include "text/jinja/parser.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/table.h"
#include "text/jinja/expression_parser.h"
#include "text/jinja/lexer.h"
#include "text/jinja/token_stream.h"

namespace vlsi {
namespace {

using Kind = JinjaToken::Kind;
using TagNames = std::vector<std::string_view>;

constexpr int kStatementNesting = 100;

class JinjaParser;

struct JinjaTag {
  std::string_view name;
  JinjaStatement (JinjaParser::*parse)(int line);
};

class JinjaParser {
 public:
  JinjaParser(const std::string& source, const std::string& place)
      : tokens_(read_jinja_tokens(source, place), place), expressions_(tokens_) {}

  JinjaBody run() { return body({}); }
  bool has_generation() const { return has_generation_; }

 private:
  static const Table<JinjaTag>& tags();

  /// Statements up to one of the tags `ends`, whose name is then the current token; without any, up to the template's
  /// end.
  JinjaBody body(const TagNames& ends) {
    const JinjaNesting nesting(depth_, kStatementNesting, tokens_);
    JinjaBody statements;
    while (!tokens_.is(Kind::kEnd)) {
      const int line = tokens_.line();
      if (tokens_.is(Kind::kText)) {
        statements.push_back({line, TextNode{TemplateValue::text(tokens_.next().text)}});
      } else if (tokens_.is(Kind::kVariableBegin)) {
        tokens_.next();
        statements.push_back({line, OutputNode{expressions_.tuple(true)}});
        tokens_.expect(Kind::kVariableEnd, "'}}'");
      } else {
        tokens_.expect(Kind::kTagBegin, "a tag");
        const bool ends_here =
            std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return tokens_.is_name(end); });
        if (ends_here) return statements;
        statements.push_back(statement(line));
        end_tag();
      }
    }
    if (!ends.empty()) tokens_.fail_here("the template ends, expected {% ", ends.back(), " %}");
    return statements;
  }

  /// A body up to the tag `end`, of which the name is passed over.
  JinjaBody body_to(std::string_view end) {
    end_tag();
    JinjaBody statements = body({end});
    tokens_.next();
    return statements;
  }

  void end_tag() { tokens_.expect(Kind::kTagEnd, "'%}'"); }

  JinjaStatement statement(int line) {
    if (!tokens_.is(Kind::kName))
      tokens_.fail_here("found ", describe(tokens_.current()), ", expected the name of a tag");
    const JinjaTag* tag = tags().find(tokens_.current().text);
    if (tag == nullptr)
      tokens_.fail_here("unknown or misplaced tag '", tokens_.current().text, "', expected one of ", tags().names());
    tokens_.next();
    return (this->*tag->parse)(line);
  }

  JinjaStatement parse_if(int line) {
    IfNode node;
    expressions_.enter_condition();
    while (true) {
      JinjaExpressionPtr condition = expressions_.tuple(false);
      end_tag();
      node.branches.emplace_back(std::move(condition), body({"elif", "else", "endif"}));
      if (tokens_.take_name("elif")) continue;
      if (tokens_.take_name("else"))
        node.otherwise = body_to("endif");
      else
        tokens_.next();
      expressions_.leave_condition();
      return {line, std::move(node)};
    }
  }

  JinjaStatement parse_for(int line) {
    ForNode node;
    node.target = expressions_.target(false);
    if (!tokens_.take_name("in")) tokens_.fail_here("found ", describe(tokens_.current()), ", expected 'in'");
    node.iterable = expressions_.tuple(false);
    if (tokens_.take_name("if")) node.condition = expressions_.expression();
    node.recursive = tokens_.take_name("recursive");
    end_tag();
    ++num_loops_;
    node.body = body({"else", "endfor"});
    --num_loops_;
    if (tokens_.take_name("else"))
      node.otherwise = body_to("endfor");
    else
      tokens_.next();
    return {line, std::move(node)};
  }

  JinjaStatement parse_set(int line) {
    JinjaTarget target = expressions_.target(true);
    if (tokens_.take_operator("=")) return {line, SetNode{std::move(target), expressions_.tuple(true)}};
    JinjaExpressionPtr filter;
    if (tokens_.take_operator("|")) filter = expressions_.block_filters();
    return {line, SetBlockNode{std::move(target), std::move(filter), body_to("endset")}};
  }

  JinjaStatement parse_with(int line) {
    WithNode node;
    while (!tokens_.is(Kind::kTagEnd)) {
      if (!node.values.empty()) tokens_.expect_operator(",");
      JinjaTarget target = expressions_.target(false);
      tokens_.expect_operator("=");
      node.values.emplace_back(std::move(target), expressions_.expression());
    }
    node.body = body_to("endwith");
    return {line, std::move(node)};
  }

  void parse_parameters(MacroNode& macro) {
    tokens_.expect_operator("(");
    while (!tokens_.take_operator(")")) {
      if (!macro.parameters.empty()) tokens_.expect_operator(",");
      std::string name = tokens_.expect(Kind::kName, "the name of a parameter");
      JinjaExpressionPtr otherwise;
      if (tokens_.take_operator("="))
        otherwise = expressions_.expression();
      else if (!macro.parameters.empty() && macro.parameters.back().second)
        tokens_.fail_here("a parameter without a default behind one with a default");
      macro.parameters.emplace_back(std::move(name), std::move(otherwise));
    }
  }

  /// What stands in a macro or a block of its kind: loops around it are none that it may leave.
  JinjaBody macro_body(MacroNode& macro, std::string_view end) {
    const int num_loops = std::exchange(num_loops_, 0);
    const bool saw_varargs = expressions_.take_saw_varargs(), saw_kwargs = expressions_.take_saw_kwargs();
    JinjaBody statements = body_to(end);
    macro.uses_varargs = expressions_.take_saw_varargs();
    macro.uses_kwargs = expressions_.take_saw_kwargs();
    expressions_.set_saw(saw_varargs, saw_kwargs);
    num_loops_ = num_loops;
    return statements;
  }

  JinjaStatement parse_macro(int line) {
    MacroNode macro;
    macro.name = tokens_.expect(Kind::kName, "the name of a macro");
    parse_parameters(macro);
    macro.body = macro_body(macro, "endmacro");
    return {line, std::move(macro)};
  }

  JinjaStatement parse_call(int line) {
    CallBlockNode node;
    node.caller.name = "caller";
    if (tokens_.is_operator("(")) parse_parameters(node.caller);
    node.call = expressions_.expression();
    if (!std::holds_alternative<CallNode>(node.call->node)) tokens_.fail_here("{% call %} has no call of a macro");
    node.caller.body = macro_body(node.caller, "endcall");
    return {line, std::move(node)};
  }

  JinjaStatement parse_filter(int line) {
    JinjaExpressionPtr filter = expressions_.block_filters();
    return {line, FilterBlockNode{std::move(filter), body_to("endfilter")}};
  }

  JinjaStatement parse_generation(int line) {
    has_generation_ = true;
    MacroNode block;
    return {line, GenerationNode{macro_body(block, "endgeneration")}};
  }

  template <bool kIsBreak>
  JinjaStatement parse_loop_control(int line) {
    if (num_loops_ == 0) tokens_.fail_here("{% ", kIsBreak ? "break" : "continue", " %} outside a loop");
    return {line, LoopControlNode{kIsBreak}};
  }

  JinjaTokenStream tokens_;
  JinjaExpressionParser expressions_;
  int depth_ = 0, num_loops_ = 0;
  bool has_generation_ = false;
};

const Table<JinjaTag>& JinjaParser::tags() {
  static const Table<JinjaTag> all{
      {"break", &JinjaParser::parse_loop_control<true>},
      {"call", &JinjaParser::parse_call},
      {"continue", &JinjaParser::parse_loop_control<false>},
      {"filter", &JinjaParser::parse_filter},
      {"for", &JinjaParser::parse_for},
      {"generation", &JinjaParser::parse_generation},
      {"if", &JinjaParser::parse_if},
      {"macro", &JinjaParser::parse_macro},
      {"set", &JinjaParser::parse_set},
      {"with", &JinjaParser::parse_with},
  };
  return all;
}

}  // namespace

JinjaTemplate parse_jinja(std::string source, std::string place) {
  JinjaTemplate result;
  JinjaParser parser(source, place);
  result.body = parser.run();
  result.has_generation = parser.has_generation();
  result.source = std::move(source);
  result.place = std::move(place);
  return result;
}

}  // namespace vlsi
