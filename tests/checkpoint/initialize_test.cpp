// Random weights: functions of their seed and name, with the deviations they promise.
#include "checkpoint/initialize.h"

#include <ATen/Parallel.h>

#include "base/parallel.h"
#include "model/parts.h"
#include "tests/checkpoint/model_directory.h"
#include "tests/support/initialize_vlm.h"

namespace vlsi {
namespace {

using fixtures::expect_same_parameters;

TEST(InitializeVlm, IsAFunctionOfItsSeed) {
  const auto config = load_model_config(fixtures::directory("untied"));
  const auto first = initialize_vlm(config, Initializer::kFanIn, 5);
  expect_same_parameters(*initialize_vlm(config, Initializer::kFanIn, 5), *first);
  const auto other = initialize_vlm(config, Initializer::kFanIn, 6);
  EXPECT_FALSE(at::equal(other->head(), first->head()));
}

TEST(InitializeVlm, DrawsTheStandardDeviationsItPromises) {
  const auto config = load_model_config(fixtures::directory("untied"));
  const auto expect_std = [](const at::Tensor& value, double expected, const std::string& name) {
    // The sample deviation of n normal values is off by expected / sqrt(2 n) or so; five times that never happens.
    const double error = 5 * expected / std::sqrt(2.0 * static_cast<double>(value.numel()));
    EXPECT_NEAR(value.std().item<double>(), expected, error) << name;
  };
  for (const auto& [name, value] : initialize_vlm(config, Initializer::kFanIn, 1)->named_parameters()) {
    if (name.ends_with(".bias")) {
      EXPECT_TRUE(at::equal(value, at::zeros_like(value))) << name;
    } else if (value.dim() == 1) {
      EXPECT_TRUE(at::equal(value, at::ones_like(value))) << name;
    } else {
      const double fan_in = static_cast<double>(value[0].numel());
      expect_std(value, part_of(name) == "embeddings" ? 0.05 : 1 / std::sqrt(fan_in), name);
    }
  }
  for (const auto& [name, value] : initialize_vlm(config, Initializer::kNormal, 1)->named_parameters()) {
    if (value.dim() > 1) expect_std(value, 0.02, name);
  }
}

TEST(RandomWeights, DoNotDependOnTheNumberOfThreadsOrOnTheirOrder) {
  ModelConfig config = load_model_config(fixtures::directory("untied"));
  config.text.vocab_size = 9000;  // several pieces in one tensor
  const auto weights = random_weights(config, Initializer::kFanIn, 4, at::kBFloat16);
  const int64_t threads = num_threads();
  std::vector<at::Tensor> alone, together;
  at::set_num_threads(1);
  for (const auto& weight : weights) alone.push_back(weight.make());
  at::set_num_threads(3);
  for (auto weight = weights.rbegin(); weight != weights.rend(); ++weight) together.push_back(weight->make());
  at::set_num_threads(static_cast<int>(threads));
  for (size_t i = 0; i < weights.size(); ++i) {
    EXPECT_EQ(alone[i].scalar_type(), at::kBFloat16);
    EXPECT_TRUE(at::equal(alone[i], together[weights.size() - 1 - i])) << weights[i].name;
  }
}

TEST(RandomWeights, RoundTheSameValuesToAnotherDtype) {
  const auto config = load_model_config(fixtures::directory("tied"));
  const auto wide = random_weights(config, Initializer::kNormal, 4, at::kFloat),
             narrow = random_weights(config, Initializer::kNormal, 4, at::kBFloat16);
  for (size_t i = 0; i < wide.size(); ++i)
    EXPECT_TRUE(at::equal(wide[i].make().to(at::kBFloat16), narrow[i].make())) << wide[i].name;
}

}  // namespace
}  // namespace vlsi
