// Renderings are those of Jinja2 in transformers' environment; directories hold their template where transformers
// looks.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

const std::string kChatTemplates = VLSI_TEST_DATA "/chat_template/";

std::vector<Json> read_renderings() {
  std::vector<Json> renderings;
  std::ifstream file(kChatTemplates + "renderings.jsonl");
  for (std::string line; std::getline(file, line);) renderings.push_back(Json::parse(line));
  return renderings;
}

const TemplateValue& variables() {
  static const TemplateValue value =
      TemplateValue::from_json(OrderedJson::parse(content_of(kChatTemplates + "variables.json")));
  return value;
}

std::string render_fixture(const std::string& source) {
  return ChatTemplate::parse(source, "template").render(variables()).text;
}

TEST(ChatTemplate, WritesWhatJinja2Writes) {
  const auto renderings = read_renderings();
  EXPECT_GT(renderings.size(), 700);
  for (const Json& rendering : renderings) {
    const std::string source = rendering.at("template");
    if (rendering.contains("error")) {
      expect_error([&] { render_fixture(source); }, {"template:"});
      EXPECT_NE(message_of([&] { render_fixture(source); }), "no error") << source;
    } else {
      std::string text = "nothing";
      const std::string message = message_of([&] { text = render_fixture(source); });
      EXPECT_EQ(text, rendering.at("text").get<std::string>()) << source << '\n' << message;
    }
  }
}

TEST(ChatTemplate, EndsWithATextOrAnErrorWhereverItsSourceIsCutOff) {
  size_t num_texts = 0, num_errors = 0;
  for (const Json& rendering : read_renderings()) {
    const std::string source = rendering.at("template");
    for (size_t length = 0; length < source.size(); ++length) {
      const std::string message = message_of([&] { render_fixture(source.substr(0, length)); });
      ++(message == "no error" ? num_texts : num_errors);
    }
  }
  EXPECT_GT(num_texts, 0);
  EXPECT_GT(num_errors, 0);
}

TEST(ChatTemplate, NamesTheLineOfWhatItDoesNotKnow) {
  const auto parse = [](const std::string& source) { return [source] { ChatTemplate::parse(source, "a.jinja"); }; };
  expect_error(parse("\n\n{{ x|sparkle }}"), {"a.jinja:3: unknown filter 'sparkle'"});
  expect_error(parse("{{ x\n is shiny }}"), {"a.jinja:2: unknown test 'shiny'"});
  expect_error(parse("\n{% include 'b' %}"), {"a.jinja:2: ", "'include'"});
  expect_error(parse("{% extends 'b' %}"), {"a.jinja:1: ", "'extends'"});
  expect_error(parse("{% import 'b' as c %}"), {"a.jinja:1: ", "'import'"});
  expect_error(parse("{% if x %}\n"), {"a.jinja:1: the template ends, expected {% endif %}"});
  expect_error(parse("{{ 'a\n\\N{DASH}' }}"), {"a.jinja:1: ", "\\N"});
  expect_error(parse("a\n\xff"), {"a.jinja:2: the template is not UTF-8"});
  expect_error(parse("{{ 99999999999999999999 }}"), {"a.jinja:1: ", "64 bits"});
}

TEST(ChatTemplate, NamesTheLineOfWhatGoesWrongInIt) {
  const auto run = [](const std::string& source) {
    return [source] { ChatTemplate::parse(source, "a.jinja").render(variables()); };
  };
  expect_error(run("{% for m in messages %}\n{{ raise_exception('bad ' ~ m.role) }}{% endfor %}"),
               {"a.jinja:2: bad system"});
  expect_error(run("\n{{ a.b }}"), {"a.jinja:2: 'a' is undefined"});
  expect_error(run("\n\n{{ tool.zz.y }}"), {"a.jinja:3: a dict has no attribute 'zz'"});
  expect_error(run("{{ 'a' + 1 }}"), {"a.jinja:1: '+' does not work between a str and a int"});
  expect_error(run("{{ words.append(1) }}"), {"a.jinja:1: 'append' would change a list"});
  expect_error(run("{{ 9223372036854775807 + 1 }}"), {"a.jinja:1: the result of '+' is beyond 64 bits"});
  expect_error(run("{% if yes %}\n{{ x|sparkle }}{% endif %}"), {"a.jinja:2: unknown filter 'sparkle'"});
  expect_error(run("{% if yes and x is shiny %}{% endif %}"), {"a.jinja:1: unknown test 'shiny'"});
}

std::string template_of(const std::map<std::string, std::string>& files) {
  const Folder folder(files);
  const auto loaded = ChatTemplate::load(folder.path());
  return loaded ? loaded->source() : "none";
}

TEST(ChatTemplate, IsReadFromTheFilesOfADirectoryInTheirOrder) {
  EXPECT_EQ(template_of({}), "none");
  EXPECT_EQ(template_of({{"tokenizer_config.json", "{}"}}), "none");
  EXPECT_EQ(template_of({{"tokenizer_config.json", R"({"chat_template": null})"}}), "none");
  std::map<std::string, std::string> files = {{"tokenizer_config.json", R"({"chat_template": "tokenizer"})"}};
  EXPECT_EQ(template_of(files), "tokenizer");
  files["chat_template.json"] = R"({"chat_template": "processor"})";
  EXPECT_EQ(template_of(files), "processor");
  files["chat_template.jinja"] = "file";
  EXPECT_EQ(template_of(files), "file");
}

TEST(ChatTemplate, IsTheDefaultOneOfAList) {
  const std::string list =
      R"({"chat_template": [{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]})";
  EXPECT_EQ(template_of({{"tokenizer_config.json", list}}), "b");
  const auto load = [](const std::string& text) { return [text] { template_of({{"tokenizer_config.json", text}}); }; };
  expect_error(load(R"({"chat_template": [{"name": "rag", "template": "a"}]})"),
               {"tokenizer_config.json", "rag", "default"});
  expect_error(load(R"({"chat_template": []})"), {"tokenizer_config.json", "no templates", "default"});
  expect_error(load(R"({"chat_template": [{"name": "default"}]})"), {"chat_template", "template", "missing"});
  expect_error(load(R"({"chat_template": 5})"), {"tokenizer_config.json", "chat_template", "a string"});
  expect_error(load(R"({"chat_template": "{% if %}"})"), {"tokenizer_config.json: chat_template:1: "});
}

TEST(ChatTemplate, SaysWhetherItMarksWhatIsGenerated) {
  EXPECT_TRUE(
      ChatTemplate::parse("{% if a %}{%- generation -%}x{% endgeneration %}{% endif %}", "t").has_generation_blocks());
  EXPECT_FALSE(ChatTemplate::parse("{# {% generation %} #}endgeneration", "t").has_generation_blocks());
}

}  // namespace
}  // namespace vlsi
