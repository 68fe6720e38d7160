#include "base/problems.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(Problems, AreNoErrorWhenThereAreNone) { EXPECT_NO_THROW(Problems().fail_if_any("loading: ")); }

TEST(Problems, AreOneLineInTheirOrder) {
  Problems problems;
  problems.add("missing ", "b.weight");
  problems.add("unexpected a.weight");
  EXPECT_EQ(problems.count(), 2U);
  try {
    problems.fail_if_any("loading x: ", problems.count(), " problem(s): ");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "loading x: 2 problem(s): missing b.weight; unexpected a.weight");
  }
}

TEST(Problems, OfSeveralLayersAreOneEntry) {
  Problems problems;
  for (const int layer : {7, 0, 1, 2, 5, 1}) problems.add("missing layers.", layer, ".up.weight");
  problems.add("missing layers.3.down.weight");
  EXPECT_EQ(problems.text(), "missing layers.{0-2,5,7}.up.weight; missing layers.3.down.weight");
  EXPECT_EQ(problems.count(), 7U);
}

TEST(Problems, MergeTheFirstNumberBetweenPointsAlone) {
  Problems problems;
  problems.add("a.1.b.2.c is [3]");
  problems.add("a.2.b.2.c is [3]");
  problems.add("a.1.b.3.c is [3]");
  problems.add("a.1.b.2.c is [4]");
  problems.add("model-00001-of-00002.safetensors");
  problems.add("model-00002-of-00002.safetensors");
  problems.add("a.123456789012.b");
  problems.add("a.7");
  EXPECT_EQ(problems.text(),
            "a.{1-2}.b.2.c is [3]; a.1.b.3.c is [3]; a.1.b.2.c is [4]; model-00001-of-00002.safetensors; "
            "model-00002-of-00002.safetensors; a.123456789012.b; a.7");
}

TEST(Problems, AreCountedBehindTheFirstTwenty) {
  Problems problems;
  for (int i = 0; i < 30; ++i) problems.add("p", i);
  EXPECT_TRUE(problems.text().ends_with("; p19; and 10 more")) << problems.text();
}

}  // namespace
}  // namespace vlsi
