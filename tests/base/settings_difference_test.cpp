// Configurations compared key by key.
#include "base/settings_difference.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

std::string difference(const std::string& before, const std::string& now) {
  return settings_difference(YAML::Load(before), YAML::Load(now));
}

TEST(SettingsDifference, IsEmptyForTheSameValuesHoweverWritten) {
  EXPECT_EQ(difference("a: 1\nb: {c: [x, y], d: ''}\n", "b:\n  d: \"\"\n  c:\n    - x  # first\n    - y\na: 1\n"), "");
  EXPECT_EQ(difference("", ""), "");
}

TEST(SettingsDifference, NamesEveryKeyWithBothValues) {
  EXPECT_EQ(difference("a: 1\nb: {c: 2, d: 3}\n", "a: 1\nb: {c: 4, d: x}\n"), "b.c: '2', now '4'; b.d: '3', now 'x'");
  EXPECT_EQ(difference("a: [1, 2]\n", "a: [1, 3, 4]\n"), "a[1]: '2', now '3'; a[2]: nothing, now '4'");
  EXPECT_EQ(difference("a: [{path: x}]\n", "a: [{path: y}]\n"), "a[0].path: 'x', now 'y'");
}

TEST(SettingsDifference, PutsKeysOfTheSameValuesTogether) {
  EXPECT_EQ(difference("a: 1\nb: {a: 1}\nc: 5\n", "a: 2\nb: {a: 2}\nc: 6\n"), "a, b.a: '1', now '2'; c: '5', now '6'");
}

TEST(SettingsDifference, PassesOverFreeKeys) {
  const auto before = YAML::Load("a: 1\nb: {a: 1, c: 2}\nold: 1"), now = YAML::Load("a: 2\nb: {a: 2, c: 3}\nnew: 4");
  EXPECT_EQ(settings_difference(before, now, {"a", "b.c", "old", "new", "c"}), "b.a: '1', now '2'");
}

TEST(SettingsDifference, SaysWhatOnlyOneOfThemHas) {
  EXPECT_EQ(difference("a: 1\nold: {x: 2}\n", "a: 1\nnew: 3\n"), "new: nothing, now '3'; old.x: '2', now nothing");
  EXPECT_EQ(difference("a: []\nb: {}\n", "a: [1]\nb: {c: 1}\n"),
            "a[0], b.c: nothing, now '1'; a: [], now nothing; b: {}, now nothing");
  EXPECT_EQ(difference("a: ''\n", "a:\n"), "a: '', now nothing");
}

}  // namespace
}  // namespace vlsi
