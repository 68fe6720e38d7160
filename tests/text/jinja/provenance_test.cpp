// Bytes of a rendering know which string of the conversation they come from, whatever a template did to it.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "tests/support/rapidcheck_seed.h"
#include "text/chat_template.h"

namespace vlsi {
namespace {

/// `a` is "Äb c" of origin 1, `b` is "xyz" of origin 2, `list` holds both.
TemplateValue two_texts() {
  const auto a = TemplateValue::text("Äb c", 1), b = TemplateValue::text("xyz", 2);
  return TemplateValue::dict(
      {{"a", a}, {"b", b}, {"list", TemplateValue::list({a, b})}, {"bos", TemplateValue::text("<s>")}});
}

Rendering render_two(const std::string& source) { return ChatTemplate::parse(source, "template").render(two_texts()); }

/// The rendering with the origin of every character behind it, where it has one.
std::string traced(const std::string& source) {
  const Rendering rendering = render_two(source);
  EXPECT_EQ(rendering.origins.size(), rendering.text.size());
  std::string result;
  for (size_t i = 0; i < rendering.text.size(); ++i) {
    result += rendering.text[i];
    const bool ends = i + 1 == rendering.text.size() || (rendering.text[i + 1] & 0xC0) != 0x80;
    if (ends && rendering.origins[i] != 0) result += std::to_string(rendering.origins[i]);
  }
  return result;
}

std::string as_ascii(std::string bytes) {
  for (char& byte : bytes) byte = static_cast<char>(byte & 0x7F);
  return bytes;
}

TEST(Provenance, TellsValuesFromWhatTheTemplateWrites) {
  EXPECT_EQ(traced("<{{ b }}>{{ bos }}"), "<x2y2z2><s>");
  EXPECT_EQ(traced("{{ '<' + b + '>' }}{{ '<' ~ b ~ 1 }}"), "<x2y2z2><x2y2z21");
  EXPECT_EQ(traced("{% for x in list %}{{ x }};{% endfor %}"), "Ä1b1 1c1;x2y2z2;");
  EXPECT_EQ(traced("{% for c in b %}{{ c }}-{% endfor %}"), "x2-y2-z2-");
}

TEST(Provenance, SurvivesOperationsOnTexts) {
  EXPECT_EQ(traced("{{ b[1:] }}{{ b[0] }}{{ b[::-1] }}{{ a[:1] }}{{ b * 2 }}"), "y2z2x2z2y2x2Ä1x2y2z2x2y2z2");
  EXPECT_EQ(traced("{{ (' ' ~ b ~ ' ').strip() }}{{ b.lstrip('x') }}{{ b.rstrip('z') }}{{ b|trim('x') }}"),
            "x2y2z2y2z2x2y2y2z2");
  EXPECT_EQ(traced("{{ a.split()[1] }}{{ a.split('b')[0] }}{{ b.partition('y')|join('|') }}{{ a.splitlines()[0] }}"),
            "c1Ä1x2|y|z2Ä1b1 1c1");
  EXPECT_EQ(traced("{{ b.replace('y', '--') }}{{ b|replace('y', a[0]) }}{{ b.removeprefix('x') }}"),
            "x2--z2x2Ä1z2y2z2");
  EXPECT_EQ(traced("{{ b|upper }}{{ a.lower() }}{{ b|title }}{{ b.capitalize() }}{{ b.title() }}"),
            "X2Y2Z2ä1b1 1c1X2y2z2X2y2z2X2y2z2");
  EXPECT_EQ(traced("{{ ', '.join(list) }}{{ list|join('+') }}"), "Ä1b1 1c1, x2y2z2Ä1b1 1c1+x2y2z2");
  EXPECT_EQ(traced("{{ '%s|%5s' % (b, b) }}{{ '{}:{:>4}'.format(b, b) }}{{ '%s'|format(b) }}"),
            "x2y2z2|  x2y2z2x2y2z2: x2y2z2x2y2z2");
  EXPECT_EQ(traced("{{ b.center(5, '*') }}{{ b|indent(1, true) }}{{ b|truncate(2, true, '', 0) }}"),
            "*x2y2z2* x2y2z2x2y2");
}

TEST(Provenance, SurvivesFiltersAndVariables) {
  EXPECT_EQ(traced("{{ b|default('d') }}{{ zz|default(b) }}{{ b|string }}{{ b|safe }}"), "x2y2z2x2y2z2x2y2z2x2y2z2");
  EXPECT_EQ(traced("{{ ('<' ~ b)|e }}{{ b|reverse }}{{ list|last|first }}{{ list|map('first')|join }}"),
            "&lt;x2y2z2z2y2x2x2Ä1x2");
  EXPECT_EQ(traced("{{ {'k': b}|tojson }}{{ [b] }}{{ (b ~ '\"')|tojson }}"),
            "{\"k\": \"x2y2z2\"}['x2y2z2']\"x2y2z2\\\"\"");
  EXPECT_EQ(traced("{% set v %}<{{ b }}>{% endset %}{{ v[1:3] }}{% set n = namespace(t=b) %}{{ n.t }}"), "x2y2x2y2z2");
  EXPECT_EQ(traced("{% macro m(t) %}<{{ t }}{{ caller() }}>{% endmacro %}{% call m(b) %}{{ a[0] }}{% endcall %}"),
            "<x2y2z2Ä1>");
  EXPECT_EQ(traced("{% filter upper %}q{{ b }}{% endfilter %}"), "QX2Y2Z2");
  EXPECT_EQ(traced("{{ (b + '</think>q').split('</think>')[0] }}{{ (b ~ 'q')[-1] }}"), "x2y2z2q");
}

TEST(Provenance, MarksWhatIsGenerated) {
  using Spans = std::vector<std::pair<size_t, size_t>>;
  EXPECT_EQ(render_two("a{{ b }}").generated, Spans{});
  EXPECT_EQ(render_two("a{% generation %}{{ b }}!{% endgeneration %}c{% generation %}d{% endgeneration %}").generated,
            (Spans{{1, 5}, {6, 7}}));
  EXPECT_EQ(
      render_two("{% set t %}a{% generation %}{{ b }} {% endgeneration %}{% endset %}__{{ t|trim|upper }}").generated,
      (Spans{{3, 6}}));
  EXPECT_EQ(traced("{% generation %}<{{ b }}{% endgeneration %}{{ b }}"), "<x2y2z2x2y2z2");
}

TEST(Provenance, GivesEveryContentBackFromItsBytes) {
  EXPECT_TRUE(rc::check([](const std::vector<std::string>& raw) {
    std::vector<TemplateValue> messages;
    std::vector<std::string> contents;
    for (const auto& bytes : raw) {
      contents.push_back(as_ascii(bytes));
      const auto content = TemplateValue::text(contents.back(), static_cast<int32_t>(contents.size()));
      messages.push_back(TemplateValue::dict({{"content", content}}));
    }
    const auto jinja =
        ChatTemplate::parse("{% for m in messages %}<|{{ loop.index }}|>{{ m.content }}\n{% endfor %}", "t");
    const Rendering rendering = jinja.render(TemplateValue::dict({{"messages", TemplateValue::list(messages)}}));
    std::vector<std::string> found(raw.size() + 1);
    for (size_t i = 0; i < rendering.text.size(); ++i) found[rendering.origins[i]] += rendering.text[i];
    for (size_t i = 0; i < raw.size(); ++i) RC_ASSERT(found[i + 1] == contents[i]);
  }));
}

TEST(Provenance, SurvivesCutsAndJoinsAtAnyPlace) {
  EXPECT_TRUE(rc::check([](const std::string& raw, int cut) {
    std::string text;
    for (const char c : raw) text += c < 0 ? "日" : std::string(1, c);
    const auto jinja = ChatTemplate::parse("{{ t[:i] ~ t[i:] }}{{ t.split('a')|join('a') }}", "t");
    const Rendering rendering = jinja.render(
        TemplateValue::dict({{"t", TemplateValue::text(text, 5)}, {"i", TemplateValue::integer(cut % 8)}}));
    RC_ASSERT(rendering.text == text + text);
    for (size_t i = 0; i < text.size(); ++i) RC_ASSERT(rendering.origins[i] == 5);
  }));
}

}  // namespace
}  // namespace vlsi
