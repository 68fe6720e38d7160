// Templates that go too deep, too long or too wide end with an Error.
#include <gtest/gtest.h>

#include <string>

#include "tests/support/errors.h"
#include "text/chat_template.h"

namespace vlsi {
namespace {

std::string times(const std::string& text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

void expect_refused(const std::string& source, const std::string& reason) {
  expect_error([&] { ChatTemplate::parse(source, "t").render(TemplateValue::dict(TemplateDict())); },
               {"t:1: ", reason});
}

/// Does `{% set ns.a = ... %}` many times, starting with ns.a = start.
std::string grown(const std::string& start, const std::string& step, const std::string& end) {
  return "{% set ns = namespace(a=" + start + ") %}{% for i in range(1000) %}{% set ns.a = " + step +
         " %}{% endfor %}" + end;
}

TEST(JinjaLimits, BoundTheDepthOfTemplates) {
  expect_refused("{{ " + times("(", 5'000) + "1" + times(")", 5'000) + " }}", "nested more than");
  expect_refused("{{ " + times("not ", 5'000) + "1 }}", "nested more than");
  expect_refused("{{ " + times("-", 5'000) + "1 }}", "nested more than");
  expect_refused(times("{% if 1 %}", 5'000) + times("{% endif %}", 5'000), "nested more than");
  expect_refused("{% for " + times("(", 5'000) + "a" + times(")", 5'000) + " in b %}{% endfor %}", "nested more than");
  expect_refused("{{ " + times("1 + ", 2'000) + "1 }}", "levels deep");
  expect_refused("{{ 'a'" + times("|string", 2'000) + " }}", "levels deep");
  expect_refused("{{ " + times("1 + ", 9'000) + "1 }}", "parts");
}

TEST(JinjaLimits, BoundRecursion) {
  expect_refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "levels deep");
  expect_refused("{% macro f(a=f()) %}{% endmacro %}{{ f() }}", "levels deep");
  expect_refused("{% macro f() %}{% call f() %}{% endcall %}{% endmacro %}{{ f() }}", "levels deep");
  expect_refused("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}", "levels deep");
}

TEST(JinjaLimits, BoundSteps) {
  expect_refused(
      "{% for i in range(1000) %}{% for j in range(1000) %}{% for k in range(99) %}{% endfor %}{% endfor %}{% endfor "
      "%}",
      "steps");
  expect_refused("{% set x = 'a' * 10000000 %}{% for i in range(100000) %}{{ 'b' in x }}{% endfor %}", "steps");
  expect_refused("{% set x = 'a' * 10000000 %}{{ x.rfind('b' ~ 'a' * 5000000) }}", "steps");
  const std::string two =
      "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = "
      "[ns.b, ns.b] %}{% endfor %}";
  expect_refused(two + "{{ ns.a == ns.b }}", "steps");
  expect_refused(two + "{{ ns.a|tojson }}", "steps");
  for (const std::string leaf : {"[]", "{}"}) {
    expect_refused("{% set ns = namespace(a=" + leaf + ") %}{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}" +
                       "{% endfor %}{{ ns.a }}",
                   "steps");
  }
}

TEST(JinjaLimits, BoundMemory) {
  expect_refused(grown("'x'", "ns.a ~ ns.a", ""), "bytes");
  expect_refused(grown("[1]", "ns.a + ns.a", ""), "bytes");
  expect_refused("{{ 'abc' * 10000000000 }}", "bytes");
  expect_refused("{{ [1]|batch(9223372036854775807, 1)|list }}", "bytes");
  expect_refused("{{ [1] * 400000000 }}", "bytes");
  expect_refused("{{ 'a'.center(10000000000) }}", "bytes");
  expect_refused("{{ '{:2000000000}'.format(1) }}", "bytes");
  expect_refused("{{ [1]|batch(100000000000, 1)|list }}", "bytes");
  expect_refused("{% set x = 'a' * 1000000 %}{{ x.replace('a', x) }}", "bytes");
  expect_refused("{% set x = 'a' * 1000000 %}{% for i in range(100) %}{{ x }}{% endfor %}", "writes more than");
}

TEST(JinjaLimits, BoundTheNestingOfValues) {
  expect_refused(grown("[]", "[ns.a]", ""), "nested more than");
  expect_refused(grown("{}", "{'a': ns.a}", ""), "nested more than");
  for (const std::string holder : {"cycler(ns.a)", "cycler(ns.a).next", "joiner(ns.a)", "[ns.a].count"}) {
    expect_refused(grown("1", holder, ""), "nested more than");
  }
  expect_refused(
      "{% set ns = namespace(a=1) %}{% for i in range(1000) %}{% for x in [ns.a] %}{% set ns.a = loop %}"
      "{% endfor %}{% endfor %}",
      "nested more than");
}

TEST(JinjaLimits, LetObjectsHoldOneAnother) {
  const auto render = [](const std::string& source) {
    return ChatTemplate::parse(source, "t").render(TemplateValue::dict(TemplateDict())).text;
  };
  EXPECT_EQ(render("{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a|length }}"), "1");
  EXPECT_EQ(render("{% set ns = namespace() %}{% macro f() %}x{% endmacro %}{% set ns.f = f %}{{ ns.f() }}"), "x");
  EXPECT_EQ(render(grown("1", "namespace(a=ns.a)", "{{ ns.a.a is defined }}")), "True");
}

}  // namespace
}  // namespace vlsi
