// Every layout of config.json in circulation against what transformers reads in it. Expected values:
// tests/oracle/make_config_fixture.py.
#include <gtest/gtest.h>

#include "base/json.h"
#include "family/family.h"

namespace vlsi {
namespace {

class LayoutsOf : public testing::TestWithParam<std::string> {
 protected:
  Json cases() const { return read_json(VLSI_TEST_DATA "/" + GetParam() + "/configs.json"); }
};

/// The keys of `expected` where the layout of the family's hub directories has them.
void expect_keys(const Json& written, const Json& expected) {
  const Json& text = written.contains("text_config") ? written["text_config"] : written;
  for (const auto& [key, value] : expected["text"].items()) {
    if (key == "mrope_section") {
      EXPECT_EQ(text["rope_scaling"][key], value);
    } else if (key == "tie_word_embeddings") {
      EXPECT_EQ(written[key], value) << key;
    } else if (key == "head_dim" && !text.contains(key)) {
      ADD_FAILURE() << "no head_dim";
    } else {
      EXPECT_EQ(text[key], value) << key;
    }
  }
  for (const auto& [key, value] : expected["vision"].items()) {
    EXPECT_EQ(written["vision_config"][key], value) << key;
  }
  for (const auto& [key, value] : expected["tokens"].items()) EXPECT_EQ(written[key], value) << key;
}

TEST_P(LayoutsOf, ReadAsTransformersReadsThem) {
  for (const Json& layout : cases()) {
    SCOPED_TRACE(layout["name"].get<std::string>());
    const auto config = parse_model_config(layout["config"], "config.json");
    EXPECT_EQ(config.family, GetParam());
    const Json written = family_of(config).write_config(config, "float32");
    expect_keys(written, layout["expected"]);
    // What is written is a layout itself.
    EXPECT_EQ(Json(family_of(config).write_config(parse_model_config(written, "written"), "float32")), written);
  }
}

TEST_P(LayoutsOf, AreWrittenAsTheHubHasThem) {
  const Json hub = cases()[0];
  ASSERT_EQ(hub["name"], "the hub's");
  const auto config = parse_model_config(hub["config"], "config.json");
  const Json written = family_of(config).write_config(config, "float32");
  for (const auto& [key, value] : hub["config"].items()) {
    if (key == "transformers_version") continue;
    if (!value.is_object()) {
      EXPECT_EQ(written[key], value) << key;
      continue;
    }
    for (const auto& [inner, inner_value] : value.items()) EXPECT_EQ(written[key][inner], inner_value) << key << inner;
  }
}

INSTANTIATE_TEST_SUITE_P(Family, LayoutsOf, testing::Values("qwen2_5_vl", "qwen3_vl"),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace vlsi
