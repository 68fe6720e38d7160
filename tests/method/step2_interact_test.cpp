// Step 2's losses and its baselines against the plain definitions, on the fixture's student and teacher.
#include "method/step2_interact.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "objective/cross_entropy.h"
#include "objective/verbal_kl.h"
#include "tests/method/method_fixture.h"

namespace vlsi {
namespace {

using method_fixture::kNoEndOfTurn;
using method_fixture::load_batch;
using method_fixture::Speaker;

/// Untrained speakers, one batch, and a configuration that a test changes.
class Step2Interact : public testing::Test {
 protected:
  StepOutput run(bool with_verbalizers = true) {
    Random random(1);
    const auto student_verbalizers = with_verbalizers ? student_.verbalizers : nullptr;
    const Interaction interaction{
        *student_.model,
        student_verbalizers.get(),
        live_teacher(teacher_.model, with_verbalizers ? teacher_.verbalizers : nullptr, student_.model),
        config_,
        random,
        end_of_turn_};
    return interact(interaction, batch_);
  }

  /// What the definition says of all layers, the last ones at the end, in float64. [t_s + 1, t_l + 1]
  at::Tensor plain_kl() const {
    const auto u = verbal_rows(*student_.model, student_.verbalizers.get(), batch_).to(at::kDouble);
    const auto v = verbal_rows(*teacher_.model, teacher_.verbalizers.get(), batch_).to(at::kDouble);
    return all_pairs_kl_plain(u, student_.model->head().to(at::kDouble), v, teacher_.model->head().to(at::kDouble));
  }

  /// [t_s + 1, N], float64
  at::Tensor plain_losses() const {
    const auto u = verbal_rows(*student_.model, student_.verbalizers.get(), batch_).to(at::kDouble);
    return cross_entropy_plain(u, student_.model->head().to(at::kDouble), batch_.labels);
  }

  double mean_loss(const StepOutput& output) const {
    return output.loss.item<double>() / static_cast<double>(batch_.num_answers());
  }

  /// One mean of the output, computed.
  static at::Tensor mean(const StepOutput& output, const std::string& name) {
    const auto& part = output.means.at(name);
    return part.sum.to(at::kDouble) / static_cast<double>(part.count);
  }

  Speaker student_{"student"}, teacher_{"teacher"};
  Batch batch_ = load_batch(0);
  InteractConfig config_;
  int32_t end_of_turn_ = kNoEndOfTurn;
};

// float32 sums of some hundred terms of size one to ten, of which the KL is a difference.
constexpr double kTolerance = 2e-5;

TEST_F(Step2Interact, AddsTheMatchedPairsAndTheLastLayer) {
  config_.matching.value.rule = MatchingRule::kUniform;  // layers 1 and 2 of both
  const auto output = run();
  const auto kl = plain_kl();
  EXPECT_NEAR(mean_loss(output), (kl[0][0] + kl[1][1] + kl[2][3]).item<double>(), kTolerance);
  EXPECT_EQ(output.lists.at("matches"), OrderedJson::parse("[[1, 1], [2, 2]]"));
  EXPECT_EQ(mean(output, "kl_matrix").sizes(), at::IntArrayRef({2, 3}));
  EXPECT_LT((mean(output, "kl_matrix") - kl.narrow(0, 0, 2).narrow(1, 0, 3)).abs().max().item<double>(), kTolerance);
  EXPECT_NEAR(mean(output, "last_kl").item<double>(), kl[2][3].item<double>(), kTolerance);
}

TEST_F(Step2Interact, WeighsBottomThreeByTheirMean) {
  config_.matching.value.rule = MatchingRule::kBottom3;
  config_.matching.value.search_range = config_.matching.value.order_preservation = false;
  const auto kl = plain_kl();
  const auto between = kl.narrow(0, 0, 2).narrow(1, 0, 3).mean(1).sum();  // all three teacher layers
  EXPECT_NEAR(mean_loss(run()), (between + kl[2][3]).item<double>(), kTolerance);
}

TEST_F(Step2Interact, WithoutIntermediateLossIsTheLastLayersKl) {
  config_.intermediate_loss = LossKind::kNone;
  const double wanted = plain_kl()[2][3].item<double>();
  const auto output = run(/*with_verbalizers=*/false);
  EXPECT_NEAR(mean_loss(output), wanted, kTolerance);
  EXPECT_NEAR(mean(output, "last_kl").item<double>(), wanted, kTolerance);
  EXPECT_FALSE(output.lists.contains("matches"));
  // Given verbalizers change nothing.
  EXPECT_NEAR(mean_loss(run()), wanted, kTolerance);
}

TEST_F(Step2Interact, WithoutLastLossIsTheMatchedPairs) {
  config_.last_loss = LossKind::kNone;
  config_.matching.value.rule = MatchingRule::kUniform;
  const auto kl = plain_kl();
  EXPECT_NEAR(mean_loss(run()), (kl[0][0] + kl[1][1]).item<double>(), kTolerance);
}

TEST_F(Step2Interact, TakesCrossEntropyAtTheTargetLayers) {
  config_.intermediate_loss = LossKind::kCrossEntropy;
  config_.last_loss = LossKind::kNone;
  const auto output = run();
  const auto losses = plain_losses();
  EXPECT_NEAR(mean_loss(output), losses.narrow(0, 0, 2).mean(1).sum().item<double>(), kTolerance);
  EXPECT_LT((mean(output, "layer_loss") - losses.narrow(0, 0, 2).mean(1)).abs().max().item<double>(), kTolerance);
  EXPECT_FALSE(output.means.contains("last_kl"));
}

TEST_F(Step2Interact, TakesCrossEntropyAtTheLastLayer) {
  config_.intermediate_loss = LossKind::kNone;
  config_.last_loss = LossKind::kCrossEntropy;
  const auto output = run(/*with_verbalizers=*/false);
  EXPECT_NEAR(mean_loss(output), plain_losses()[2].mean().item<double>(), kTolerance);
  EXPECT_NEAR(mean(output, "last_loss").item<double>(), plain_losses()[2].mean().item<double>(), kTolerance);
}

TEST_F(Step2Interact, CombinesKlBetweenWithCrossEntropyLast) {
  config_.last_loss = LossKind::kCrossEntropy;
  config_.matching.value.rule = MatchingRule::kUniform;
  const auto kl = plain_kl();
  EXPECT_NEAR(mean_loss(run()), (kl[0][0] + kl[1][1] + plain_losses()[2].mean()).item<double>(), kTolerance);
}

TEST_F(Step2Interact, CombinesCrossEntropyBetweenWithKlLast) {
  config_.intermediate_loss = LossKind::kCrossEntropy;
  const auto wanted = plain_losses().narrow(0, 0, 2).mean(1).sum() + plain_kl()[2][3];
  EXPECT_NEAR(mean_loss(run()), wanted.item<double>(), kTolerance);
}

TEST_F(Step2Interact, CountsWordsWithoutTheEndOfTurn) {
  end_of_turn_ = static_cast<int32_t>(batch_.labels[0].item<int64_t>());
  config_.intermediate_loss = LossKind::kNone;
  config_.last_loss = LossKind::kCrossEntropy;
  const auto output = run();
  const auto is_word = batch_.labels.ne(end_of_turn_);
  EXPECT_LT(output.means.at("last_loss_words").count, output.means.at("last_loss").count);
  EXPECT_NEAR(mean(output, "last_loss_words").item<double>(),
              plain_losses()[2].masked_select(is_word).mean().item<double>(), kTolerance);
  // The loss itself learns the end of turn, too.
  EXPECT_NEAR(mean_loss(output), plain_losses()[2].mean().item<double>(), kTolerance);
}

TEST_F(Step2Interact, LeavesTheTeachersPaddingRowsOut) {
  ASSERT_EQ(teacher_.model->head().size(0), 328);
  ASSERT_EQ(student_.model->head().size(0), 320);
  config_.matching.value.rule = MatchingRule::kUniform;
  make_trainable(*teacher_.model, {"head"}, "test");  // its own copy of the weights
  const double wanted = mean_loss(run());
  teacher_.model->head().detach().narrow(0, 320, 8).fill_(50);
  EXPECT_EQ(mean_loss(run()), wanted);
}

TEST_F(Step2Interact, MovesTheStudentAlone) {
  const auto learns = make_trainable(*student_.model, {"decoder"}, "test");
  const auto of_verbalizers = student_.verbalizer_parameters(/*learn=*/true);
  const auto of_teacher = make_trainable(*teacher_.model, {"decoder", "head"}, "test");
  run().loss.backward();
  for (const auto& [name, parameter] : learns) EXPECT_TRUE(parameter.grad().defined()) << name;
  for (const auto& [name, parameter] : of_teacher) EXPECT_FALSE(parameter.grad().defined()) << name;
  EXPECT_FALSE(student_.model->head().grad().defined());
}

TEST_F(Step2Interact, DrawsTheSameMatchesFromTheSameSeed) {
  EXPECT_EQ(run().lists.at("matches"), run().lists.at("matches"));
}

TEST_F(Step2Interact, KeepsTheMatchingOrderedAtOtherDepths) {
  const Batch other = load_batch(1);
  Random random(5);
  const Interaction interaction{*student_.model,
                                student_.verbalizers.get(),
                                live_teacher(teacher_.model, teacher_.verbalizers, student_.model),
                                config_,
                                random,
                                kNoEndOfTurn};
  for (int i = 0; i < 20; ++i) {
    const auto matches = interact(interaction, i % 2 == 0 ? batch_ : other).lists.at("matches");
    ASSERT_EQ(matches.size(), 2);
    EXPECT_EQ(matches[0][0], 1);
    EXPECT_EQ(matches[1][0], 2);
    EXPECT_LT(matches[0][1].get<int>(), matches[1][1].get<int>());
  }
}

}  // namespace
}  // namespace vlsi
