// Values hold what JSON held, and dicts find keys that Python takes for equal.
#include "text/jinja/template_value.h"

#include <gtest/gtest.h>

#include <string>

namespace vlsi {
namespace {

TEST(TemplateValue, HoldsWhatJsonHeld) {
  const auto json = OrderedJson::parse(R"({"z": [true, null, -3, 2.5, "é"], "a": 18446744073709551615})");
  const auto value = TemplateValue::from_json(json, 7);
  const auto& entries = value.as_dict()->entries();
  ASSERT_EQ(entries.size(), 2);
  EXPECT_EQ(entries[0].first.as_text()->bytes(), "z");
  EXPECT_TRUE(entries[0].first.as_text()->runs().at(0).origin == 0);
  const auto& items = entries[0].second.as_sequence()->items;
  EXPECT_EQ(*items.at(0).as_bool(), true);
  EXPECT_TRUE(items.at(1).is_none());
  EXPECT_EQ(*items.at(2).as_integer(), -3);
  EXPECT_EQ(*items.at(3).as_number(), 2.5);
  EXPECT_EQ(items.at(4).as_text()->bytes(), "é");
  EXPECT_EQ(items.at(4).as_text()->runs().at(0).origin, 7);
  EXPECT_EQ(*entries[1].second.as_number(), 18446744073709551616.0);
  EXPECT_EQ(value.nesting(), 2);
}

TEST(TemplateValue, DictsFindKeysThatAreEqualInPython) {
  TemplateDict dict;
  dict.set(TemplateValue::integer(1), TemplateValue::text("one"));
  dict.set(TemplateValue::boolean(true), TemplateValue::text("true"));
  dict.set("1", TemplateValue::text("text"));
  EXPECT_EQ(dict.size(), 2);
  EXPECT_EQ(dict.find(TemplateValue::number(1.0))->as_text()->bytes(), "true");
  EXPECT_EQ(dict.find("1")->as_text()->bytes(), "text");
  EXPECT_EQ(dict.find(TemplateValue::integer(2)), nullptr);
  EXPECT_EQ(dict.find(TemplateValue::list({})), nullptr);
  EXPECT_FALSE(TemplateDict::can_be_key(TemplateValue::list({})));
}

}  // namespace
}  // namespace vlsi
