// Warped logits beside transformers', and how often each token is drawn.
#include "generate/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "generate/logit_rules.h"

namespace vlsi {
namespace sampling_tests {

TEST(Sampling, WarpsLogitsAsTransformersDoes) {
  const auto stored = read_json(VLSI_TEST_DATA "/tiny/warped_logits.json");
  for (const auto& one : stored) {
    const auto& settings = one.at("settings");
    Decoding decoding;
    decoding.temperature = settings.value("temperature", 1.0);
    decoding.top_k = settings.value("top_k", 0);
    decoding.top_p = settings.value("top_p", 1.0);
    decoding.min_p = settings.value("min_p", 0.0);
    auto logits = one.at("logits").get<std::vector<float>>();
    warp_logits(decoding, logits);
    for (size_t i = 0; i < logits.size(); ++i) {
      const auto& expected = one.at("warped")[i];
      ASSERT_EQ(logits[i] == kNever, expected.is_null()) << settings << " token " << i;
      if (expected.is_null()) continue;
      EXPECT_FLOAT_EQ(logits[i], expected.get<float>()) << settings;
    }
  }
}

TEST(Sampling, KeepsTheLikeliestTokenAloneAtATopPOfZero) {
  Decoding decoding;
  decoding.sample = true;
  decoding.top_p = 0;
  EXPECT_NO_THROW(check_decoding(decoding, 5, "place"));
  std::vector<float> logits{1.0F, kNever, 3.0F, 2.0F, 3.0F};
  warp_logits(decoding, logits);
  EXPECT_EQ(logits, (std::vector<float>{kNever, kNever, 3.0F, kNever, kNever})) << "the lowest id among equals";
  for (const double outside : {-0.1, 1.1}) {
    decoding.top_p = outside;
    EXPECT_THROW(check_decoding(decoding, 5, "place"), Error);
  }
}

TEST(Sampling, DrawsEachTokenAsOftenAsItsProbability) {
  const std::vector<float> logits{0.0F, kNever, 1.0F, -1.0F, kNever};
  double total = 0;
  for (const float logit : logits) total += std::exp(logit);
  Random random(3);
  constexpr int kDraws = 20000;
  std::vector<int> counts(logits.size());
  for (int i = 0; i < kDraws; ++i) ++counts[draw_token(logits, random)];
  for (size_t i = 0; i < logits.size(); ++i) {
    const double p = std::exp(logits[i]) / total;
    // Five standard deviations of a binomial count; the draws are the same at every run.
    EXPECT_NEAR(counts[i], kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p))) << i;
  }
}

TEST(Sampling, DrawsTheLikeliestTokenAtEveryTemperatureNearZero) {
  for (const double temperature : {1e-30, 1e-38, 1e-40, 1e-300}) {
    for (const float shift : {0.0F, 60.0F, -60.0F}) {
      std::vector<float> logits{1.0F + shift, 3.0F + shift, kNever, 2.0F + shift};
      Decoding decoding;
      decoding.temperature = temperature;
      warp_logits(decoding, logits);
      Random random(7);
      for (int i = 0; i < 20; ++i) EXPECT_EQ(draw_token(logits, random), 1) << temperature << " " << shift;
    }
  }
}

}  // namespace sampling_tests
}  // namespace vlsi
