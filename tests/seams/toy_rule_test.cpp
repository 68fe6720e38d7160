// A matching rule from outside the program's sources.
#include <gtest/gtest.h>

#include "objective/layer_matching.h"
#include "tests/seams/toy_run.h"

namespace vlsi {
namespace {

std::vector<Match> match_deepest(std::span<const double>, int64_t num_student, int64_t num_teacher,
                                 const MatchingConfig&, Random& random) {
  std::vector<Match> matches;
  for (int64_t s = 0; s < num_student; ++s) {
    random.uniform();
    matches.push_back({s, num_teacher - 1, 1});
  }
  return matches;
}

TEST(ToyRule, MatchesLayersOfARunThatNamesIt) {
  matching_rules().add({"deepest", "the teacher's last target layer", match_deepest, /*draws_per_layer=*/1});
  const toy_run::TinyPair pair;
  int64_t num_interactions = 0;
  for (const auto& line : pair.run({"interact.matching.rule=deepest"})) {
    if (line.at("step") != "interact") continue;
    ++num_interactions;
    for (const auto& match : line.at("matches")) EXPECT_EQ(match, Json({1, 2}));
  }
  EXPECT_EQ(num_interactions, 3);
  EXPECT_NE(content_of(pair.folder() / "run/config.yaml").find("rule: deepest"), std::string::npos);
  EXPECT_NE(write_settings(RunConfig{}, /*with_comments=*/true).find("# deepest: the teacher's last target layer\n"),
            std::string::npos);
}

}  // namespace
}  // namespace vlsi
