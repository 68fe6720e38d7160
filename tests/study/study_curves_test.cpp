// Learning curves and matches of variants over their seeds.
#include "study/study_curves.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/files.h"

namespace vlsi::study_curves_test {
namespace {

StudyConfig two_variants() {
  StudyConfig study;
  for (const char* name : {"vlsi", "last"}) study.variants.push_back({name, concat("the ", name), "", {}, {}, {}});
  return study;
}

VariantResult run_of(const Folder& folder, const std::string& variant, uint64_t seed, const std::string& metrics) {
  VariantResult result;
  result.variant = variant;
  result.seeds = {seed};
  result.folder = folder / concat(variant, seed);
  write_text(result.folder / "metrics.jsonl", metrics);
  return result;
}

/// `count` iterations whose loss is `loss` / iteration.
std::string losses(int64_t count, double loss) {
  std::string lines;
  for (int64_t i = 1; i <= count; ++i) {
    lines += concat(R"({"step":"interact","iteration":)", i, R"(,"loss":)", loss / static_cast<double>(i),
                    R"(,"seconds":)", i, "}\n");
  }
  return lines;
}

TEST(StudyCurves, AreMeansOverSeedsWithBands) {
  const Folder folder;
  const auto curves =
      study_curves(two_variants(), {run_of(folder, "vlsi", 1, losses(3, 6)), run_of(folder, "vlsi", 2, losses(3, 12)),
                                    run_of(folder, "last", 1, losses(3, 6))});
  ASSERT_EQ(curves.size(), 1U) << "the clock is no curve";
  EXPECT_EQ(curves[0]["step"], "interact");
  EXPECT_EQ(curves[0]["key"], "loss");
  const auto& vlsi = curves[0]["lines"][0];
  EXPECT_EQ(vlsi["title"], "the vlsi");
  EXPECT_EQ(vlsi["x"], (OrderedJson{1, 2, 3}));
  EXPECT_EQ(vlsi["mean"], (OrderedJson{9.0, 4.5, 3.0}));
  EXPECT_NEAR(vlsi["low"][0].get<double>(), 9 - 3 * std::sqrt(2), 1e-4) << "six digits";
  EXPECT_NEAR(vlsi["high"][0].get<double>(), 9 + 3 * std::sqrt(2), 1e-4);
  EXPECT_EQ(curves[0]["lines"][1]["low"][0], nullptr) << "one seed";
}

TEST(StudyCurves, OfLongRunsHaveSixtyStretches) {
  const Folder folder;
  std::string lines;
  for (int i = 1; i <= 601; ++i) lines += concat(R"({"step":"finetune","iteration":)", i, R"(,"loss":)", i, "}\n");
  const auto line = study_curves(two_variants(), {run_of(folder, "vlsi", 1, lines)})[0]["lines"][0];
  ASSERT_EQ(line["x"].size(), 55U) << "of 11 iterations each";
  EXPECT_EQ(line["x"][0], 11);
  EXPECT_EQ(line["mean"][0], 6.0);
  EXPECT_EQ(line["x"][54], 601) << "the last one is shorter";
}

/// Student layers 1 and 3 follow these teacher layers, an iteration each.
std::string matches(const std::vector<std::pair<int, int>>& followed) {
  std::string lines;
  for (size_t i = 0; i < followed.size(); ++i) {
    lines += concat(R"({"step":"interact","iteration":)", i + 1, R"(,"matches":[[1,)", followed[i].first, "],[3,",
                    followed[i].second, "]]}\n");
  }
  return lines;
}

TEST(StudyMatches, AreSharesInBothHalvesOfAllSeeds) {
  const Folder folder;
  const auto all = study_matches(two_variants(), {run_of(folder, "vlsi", 1, matches({{2, 4}, {2, 6}, {4, 6}, {4, 6}})),
                                                  run_of(folder, "vlsi", 2, matches({{2, 4}, {4, 6}, {2, 6}, {4, 6}})),
                                                  run_of(folder, "last", 1, losses(3, 1))});
  ASSERT_EQ(all.size(), 1U) << "the other has no matches";
  EXPECT_EQ(all[0]["student_layers"], (OrderedJson{1, 3}));
  EXPECT_EQ(all[0]["teacher_layers"], (OrderedJson{2, 4, 6}));
  EXPECT_EQ(all[0]["early"], (OrderedJson{{0.75, 0.25, 0.0}, {0.0, 0.5, 0.5}}));
  EXPECT_EQ(all[0]["late"], (OrderedJson{{0.25, 0.75, 0.0}, {0.0, 0.0, 1.0}}));
}

TEST(StudyMatches, WithoutARunDirectoryAreLeftOut) {
  const Folder folder;
  auto result = run_of(folder, "vlsi", 1, "");
  result.folder = folder / "elsewhere";
  EXPECT_TRUE(study_matches(two_variants(), {result}).empty());
  EXPECT_TRUE(study_curves(two_variants(), {result}).empty());
}

}  // namespace
}  // namespace vlsi::study_curves_test
