// What the target layers' losses weigh beside the last layer's, and the norms of both parts' gradients.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "method/step2_interact.h"
#include "tests/method/method_fixture.h"

namespace vlsi::intermediate_weight_test {
namespace {

/// The fixture's pair and a batch; every match is the same in every run.
class IntermediateWeight : public testing::Test {
 protected:
  void SetUp() override {
    config_.matching.rule = ChosenRule("uniform");
    learning_ = make_trainable(*student_.model, {"decoder"}, "test");
  }

  StepOutput run(double weight, bool measures = false) {
    Random random(1);
    Interaction interaction{*student_.model,
                            student_.verbalizers.get(),
                            live_teacher(teacher_.model, teacher_.verbalizers, student_.model, kAllIds),
                            config_,
                            random,
                            method_fixture::kNoEndOfTurn};
    interaction.intermediate_weight = weight;
    if (measures) interaction.measured = &learning_;
    return interact(interaction, batch_);
  }

  double loss(double weight) { return run(weight).loss.item<double>() / static_cast<double>(batch_.num_answers()); }

  /// The norm of the mean loss's gradient by an ordinary backward pass.
  double plain_norm(const StepOutput& output) {
    (output.loss / batch_.num_answers()).backward();
    double sum = 0;
    for (auto& [name, parameter] : learning_) {
      if (parameter.grad().defined()) sum += parameter.grad().to(at::kDouble).square().sum().item<double>();
      parameter.mutable_grad().reset();
    }
    return std::sqrt(sum);
  }

  static double mean(const StepOutput& output, const std::string& name) {
    const auto& part = output.means.at(name);
    return part.sum.item<double>() / part.weight;
  }

  Speaker student_ = method_fixture::stored_speaker("student"), teacher_ = method_fixture::stored_speaker("teacher");
  Batch batch_ = method_fixture::load_batch(0);
  InteractionConfig config_;
  NamedTensors learning_;
};

TEST_F(IntermediateWeight, IsThatOfTheTargetLayersAlone) {
  const double whole = loss(1), last = loss(0);
  EXPECT_GT(whole - last, 0.1) << "the target layers have a loss";
  EXPECT_NEAR(loss(0.25), last + 0.25 * (whole - last), 1e-5 * whole);  // float32 sums of a few terms
  config_.intermediate_loss = LossKind::kCrossEntropy;
  const double with_answers = loss(1);
  EXPECT_NEAR(loss(0.25), last + 0.25 * (with_answers - last), 1e-5 * with_answers);
}

TEST_F(IntermediateWeight, FallsLinearlyByItsDecay) {
  config_.intermediate_weight = 0.5;
  for (const int64_t i : {0, 5, 10}) EXPECT_EQ(intermediate_weight(config_, i, 11), 0.5) << i;
  config_.intermediate_decay = 0.8;
  EXPECT_DOUBLE_EQ(intermediate_weight(config_, 0, 11), 0.5);
  EXPECT_DOUBLE_EQ(intermediate_weight(config_, 5, 11), 0.3);
  EXPECT_DOUBLE_EQ(intermediate_weight(config_, 10, 11), 0.1);
  EXPECT_DOUBLE_EQ(intermediate_weight(config_, 0, 1), 0.5) << "a single iteration is the first";
}

TEST_F(IntermediateWeight, GradientNormsAreThoseOfEachPartAlone) {
  const auto both = run(0.25, /*measures=*/true);
  for (const auto& [name, parameter] : learning_) EXPECT_FALSE(parameter.grad().defined()) << name;
  const double norm_of_both = plain_norm(both);  // the graph is still there
  EXPECT_NEAR(norm_of_both, plain_norm(run(0.25)), 1e-6 * norm_of_both);

  const double last = plain_norm(run(0));
  config_.last_loss = LossKind::kNone;
  const double intermediate = plain_norm(run(0.25));
  // Two backward passes of float32 through the same few layers.
  EXPECT_NEAR(mean(both, "last_gradient_norm"), last, 1e-4 * last);
  EXPECT_NEAR(mean(both, "intermediate_gradient_norm"), intermediate, 1e-4 * intermediate);
  EXPECT_GT(last, 0);
  EXPECT_GT(intermediate, 0);
  EXPECT_FALSE(run(1).means.contains("last_gradient_norm")) << "only where they are asked for";
  EXPECT_FALSE(run(1, /*measures=*/true).means.contains("last_gradient_norm")) << "there is no loss at the last layer";
}

}  // namespace
}  // namespace vlsi::intermediate_weight_test
