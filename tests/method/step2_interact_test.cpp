// Step 2's losses and its baselines against the plain definitions, on the fixture's student and teacher.
#include "method/step2_interact.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <tuple>

#include "objective/cross_entropy.h"
#include "objective/verbal_kl.h"
#include "tests/method/method_fixture.h"

namespace vlsi {
namespace {

using method_fixture::kNoEndOfTurn;
using method_fixture::load_batch;
using method_fixture::stored_speaker;

/// Untrained speakers, one batch, and a configuration that a test changes.
class Step2Interact : public testing::Test {
 protected:
  StepOutput run(bool with_verbalizers = true) {
    return run(with_verbalizers ? student_.verbalizers : nullptr, with_verbalizers ? teacher_.verbalizers : nullptr);
  }

  StepOutput run(const std::shared_ptr<Verbalizers>& of_student, const std::shared_ptr<Verbalizers>& of_teacher) {
    Random random(1);
    const auto grams = head_grams(student_.model->head(), teacher_.model->head());
    const Interaction interaction{*student_.model,
                                  of_student.get(),
                                  live_teacher(teacher_.model, of_teacher, student_.model, kAllIds),
                                  config_,
                                  random,
                                  end_of_turn_,
                                  logits_are_compared(config_) ? &grams : nullptr};
    return interact(interaction, batch_);
  }

  /// What the definition says of all layers, the last ones at the end, in float64. [t_s + 1, t_l + 1]
  at::Tensor plain_kl() const {
    const auto u = verbal_rows(*student_.model, student_.verbalizers.get(), batch_).to(at::kDouble);
    const auto v = verbal_rows(*teacher_.model, teacher_.verbalizers.get(), batch_).to(at::kDouble);
    return all_pairs_kl_plain(u, student_.model->head().to(at::kDouble), v, teacher_.model->head().to(at::kDouble));
  }

  /// The same of the squared differences of the logits.
  at::Tensor plain_l2() const {
    const auto u = verbal_rows(*student_.model, student_.verbalizers.get(), batch_).to(at::kDouble);
    const auto v = verbal_rows(*teacher_.model, teacher_.verbalizers.get(), batch_).to(at::kDouble);
    return all_pairs_logit_l2_plain(u, student_.model->head().to(at::kDouble), v,
                                    teacher_.model->head().to(at::kDouble));
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
    return part.sum.to(at::kDouble) / part.weight;
  }

  Speaker student_ = stored_speaker("student"), teacher_ = stored_speaker("teacher");
  Batch batch_ = load_batch(0);
  InteractionConfig config_;
  int32_t end_of_turn_ = kNoEndOfTurn;
};

// float32 sums of some hundred terms of size one to ten, of which the KL is a difference.
constexpr double kTolerance = 2e-5;

TEST_F(Step2Interact, AddsTheMatchedPairsAndTheLastLayer) {
  config_.matching.rule = ChosenRule("uniform");  // layers 1 and 2 of both
  const auto output = run();
  const auto kl = plain_kl();
  EXPECT_NEAR(mean_loss(output), (kl[0][0] + kl[1][1] + kl[2][3]).item<double>(), kTolerance);
  EXPECT_EQ(output.lists.at("matches"), OrderedJson::parse("[[1, 1], [2, 2]]"));
  EXPECT_EQ(mean(output, "kl_matrix").sizes(), at::IntArrayRef({2, 3}));
  EXPECT_LT((mean(output, "kl_matrix") - kl.narrow(0, 0, 2).narrow(1, 0, 3)).abs().max().item<double>(), kTolerance);
  EXPECT_NEAR(mean(output, "last_kl").item<double>(), kl[2][3].item<double>(), kTolerance);
}

TEST_F(Step2Interact, WeighsBottomThreeByTheirMean) {
  config_.matching.rule = ChosenRule("bottom_3");
  config_.matching.search_range = config_.matching.order_preservation = false;
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
  config_.matching.rule = ChosenRule("uniform");
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
  config_.matching.rule = ChosenRule("uniform");
  const auto kl = plain_kl();
  EXPECT_NEAR(mean_loss(run()), (kl[0][0] + kl[1][1] + plain_losses()[2].mean()).item<double>(), kTolerance);
}

TEST_F(Step2Interact, CombinesCrossEntropyBetweenWithKlLast) {
  config_.intermediate_loss = LossKind::kCrossEntropy;
  const auto wanted = plain_losses().narrow(0, 0, 2).mean(1).sum() + plain_kl()[2][3];
  EXPECT_NEAR(mean_loss(run()), wanted.item<double>(), kTolerance);
}

/// Every pair of losses of the paper's Table 4 (d), and those that it leaves out.
class LossPairs : public Step2Interact, public testing::WithParamInterface<std::tuple<LossKind, LossKind>> {};

TEST_P(LossPairs, AddUpByTheirDefinitions) {
  std::tie(config_.intermediate_loss, config_.last_loss) = GetParam();
  config_.matching.rule = ChosenRule("uniform");  // layers 1 and 2 of both
  const auto kl = plain_kl(), l2 = plain_l2(), ce = plain_losses().mean(1);
  double wanted = 0;
  switch (config_.intermediate_loss) {
    case LossKind::kKl: wanted += (kl[0][0] + kl[1][1]).item<double>(); break;
    case LossKind::kL2: wanted += (l2[0][0] + l2[1][1]).item<double>(); break;
    case LossKind::kCrossEntropy: wanted += (ce[0] + ce[1]).item<double>(); break;
    case LossKind::kNone:
    case LossKind::kDivergence: break;
  }
  switch (config_.last_loss) {
    case LossKind::kKl: wanted += kl[2][3].item<double>(); break;
    case LossKind::kL2: wanted += l2[2][3].item<double>(); break;
    case LossKind::kCrossEntropy: wanted += ce[2].item<double>(); break;
    case LossKind::kNone:
    case LossKind::kDivergence: break;
  }
  const auto output = run(config_.intermediate_loss != LossKind::kNone);
  EXPECT_NEAR(mean_loss(output), wanted, kTolerance * std::max(1.0, wanted));
  const auto logs = [&](const char* name, bool expected) { EXPECT_EQ(output.means.contains(name), expected) << name; };
  logs("kl_matrix", config_.intermediate_loss == LossKind::kKl);
  logs("l2_matrix", config_.intermediate_loss == LossKind::kL2);
  logs("layer_loss", config_.intermediate_loss == LossKind::kCrossEntropy);
  logs("last_kl", config_.intermediate_loss == LossKind::kKl || config_.last_loss == LossKind::kKl);
  logs("last_l2", config_.last_loss == LossKind::kL2);
  logs("last_loss", config_.last_loss == LossKind::kCrossEntropy);
}

TEST_P(LossPairs, OfABatchWithoutAnswersAreZero) {
  std::tie(config_.intermediate_loss, config_.last_loss) = GetParam();
  batch_.answer_positions = batch_.answer_positions.narrow(0, 0, 0);
  batch_.labels = batch_.labels.narrow(0, 0, 0);
  batch_.answer_starts.assign(batch_.answer_starts.size(), 0);
  EXPECT_EQ(run(config_.intermediate_loss != LossKind::kNone).loss.item<double>(), 0);
}

constexpr auto kEveryLoss = {LossKind::kKl, LossKind::kCrossEntropy, LossKind::kL2, LossKind::kNone};
INSTANTIATE_TEST_SUITE_P(Step2Interact, LossPairs,
                         testing::Combine(testing::ValuesIn(kEveryLoss), testing::ValuesIn(kEveryLoss)));

TEST_F(Step2Interact, MatchesSquaredDifferencesByTheSameRules) {
  config_.intermediate_loss = LossKind::kL2;
  config_.last_loss = LossKind::kNone;
  config_.matching.rule = ChosenRule("bottom_1");
  const auto l2 = plain_l2().narrow(0, 0, 2).narrow(1, 0, 3);
  Random random(1);
  const auto wanted = match_layers({l2.contiguous().const_data_ptr<double>(), 6}, 2, 3, config_.matching, random);
  const auto output = run();
  ASSERT_EQ(output.lists.at("matches").size(), 2U);
  double loss = 0;
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(output.lists.at("matches")[i][1], wanted[i].teacher + 1);
    const double value = l2[wanted[i].student][wanted[i].teacher].item<double>();
    EXPECT_NEAR(output.lists.at("l2")[i].get<double>(), value, kTolerance * std::max(1.0, value));
    loss += value;
  }
  EXPECT_NEAR(mean_loss(output), loss, kTolerance * std::max(1.0, loss));
}

TEST_F(Step2Interact, ExpectsTheLossOverTheDraws) {
  config_.matching.rule = ChosenRule("expected");
  config_.last_loss = LossKind::kNone;
  const auto kl = plain_kl().narrow(0, 0, 2).narrow(1, 0, 3).contiguous();
  const auto weights = pair_probabilities({kl.const_data_ptr<double>(), 6}, 2, 3, config_.matching);
  double wanted = 0;
  for (int64_t i = 0; i < 6; ++i) wanted += weights[i] * kl.view({-1})[i].item<double>();
  const auto output = run();
  EXPECT_NEAR(mean_loss(output), wanted, kTolerance);
  EXPECT_FALSE(output.lists.contains("matches"));
  const auto logged = mean(output, "match_weights").view({-1});
  for (int64_t i = 0; i < 6; ++i) EXPECT_NEAR(logged[i].item<double>(), weights[i], kTolerance);
}

TEST_F(Step2Interact, ExpectsTheGradientOfTheWeightedPairs) {
  config_.last_loss = LossKind::kNone;
  const auto learns = make_trainable(*student_.model, {"decoder"}, "test");
  const auto gradient_of = [&](const at::Tensor& loss) {
    loss.backward();
    auto gradient = learns.front().second.grad().clone();
    learns.front().second.mutable_grad() = at::Tensor();
    return gradient;
  };
  config_.matching.rule = ChosenRule("expected");
  const auto output = run();
  const auto weights = mean(output, "match_weights");
  // The weights are constants: no gradient goes through them.
  const auto u = verbal_rows(*student_.model, student_.verbalizers.get(), batch_).narrow(0, 0, 2);
  const auto v = verbal_rows(*teacher_.model, teacher_.verbalizers.get(), batch_).narrow(0, 0, 3).detach();
  const auto plain = all_pairs_kl_plain(u, student_.model->head().detach(), v, teacher_.model->head());
  const auto wanted = gradient_of((weights * plain).sum() * batch_.num_answers());
  EXPECT_LT((gradient_of(output.loss) - wanted).abs().max().item<double>(),
            kTolerance * std::max(1.0, wanted.abs().max().item<double>()));
}

/// Verb-FFNs whose rows no head reads.
class WithoutHead : public Step2Interact {
 protected:
  WithoutHead() {
    VerbalizerConfig network;
    network.output_width = teacher_.model->config().text.hidden_size;
    maps_ = Verbalizers::of(*student_.model, network, {1, 2}, 7);
    config_.head = false;
    config_.intermediate_loss = LossKind::kL2;
  }

  /// Mean squared difference of every pair of verb-FFNs, float64. [2, 3]
  at::Tensor plain_rows() const {
    const auto u = read_layers(*student_.model, maps_.get(), batch_).layers.to(at::kDouble);
    const auto v = read_layers(*teacher_.model, teacher_.verbalizers.get(), batch_).layers.to(at::kDouble);
    return (u.unsqueeze(1) - v.unsqueeze(0)).square().mean({2, 3});
  }

  std::shared_ptr<Verbalizers> maps_;
};

TEST_F(WithoutHead, ComparesTheVerbFfnsThemselves) {
  config_.matching.rule = ChosenRule("uniform");
  const auto rows = plain_rows();
  const double between = (rows[0][0] + rows[1][1]).item<double>();
  for (const auto& [last, value] :
       {std::pair(LossKind::kNone, 0.0), std::pair(LossKind::kL2, plain_l2()[2][3].item<double>()),
        std::pair(LossKind::kKl, plain_kl()[2][3].item<double>())}) {
    config_.last_loss = last;
    const double wanted = between + value;
    const auto output = run(maps_, teacher_.verbalizers);
    EXPECT_NEAR(mean_loss(output), wanted, kTolerance * std::max(1.0, wanted));
    EXPECT_LT((mean(output, "l2_matrix") - rows).abs().max().item<double>(),
              kTolerance * std::max(1.0, rows.max().item<double>()));
  }
}

TEST_F(WithoutHead, MovesTheStudentAndItsVerbFfns) {
  config_.last_loss = LossKind::kNone;
  const auto learns = make_trainable(*student_.model, {"decoder"}, "test");
  auto of_student = maps_->trained_parameters();
  for (auto& item : of_student) item.second.set_requires_grad(true);
  run(maps_, teacher_.verbalizers).loss.backward();
  for (const auto& [name, parameter] : of_student) EXPECT_TRUE(parameter.grad().defined()) << name;
  EXPECT_TRUE(learns.front().second.grad().defined());
  for (const auto& [name, parameter] : teacher_.verbalizers->named_parameters())
    EXPECT_FALSE(parameter.grad().defined()) << name;
}

TEST_F(Step2Interact, CountsWordsWithoutTheEndOfTurn) {
  end_of_turn_ = static_cast<int32_t>(batch_.labels[0].item<int64_t>());
  config_.intermediate_loss = LossKind::kNone;
  config_.last_loss = LossKind::kCrossEntropy;
  const auto output = run();
  const auto is_word = batch_.labels.ne(end_of_turn_);
  EXPECT_LT(output.means.at("last_loss_words").weight, output.means.at("last_loss").weight);
  EXPECT_NEAR(mean(output, "last_loss_words").item<double>(),
              plain_losses()[2].masked_select(is_word).mean().item<double>(), kTolerance);
  // The loss itself learns the end of turn, too.
  EXPECT_NEAR(mean_loss(output), plain_losses()[2].mean().item<double>(), kTolerance);
}

TEST_F(Step2Interact, LeavesTheTeachersPaddingRowsOut) {
  ASSERT_EQ(teacher_.model->head().size(0), 328);
  ASSERT_EQ(student_.model->head().size(0), 320);
  config_.matching.rule = ChosenRule("uniform");
  make_trainable(*teacher_.model, {"head"}, "test");  // its own copy of the weights
  const double wanted = mean_loss(run());
  teacher_.model->head().detach().narrow(0, 320, 8).fill_(50);
  EXPECT_EQ(mean_loss(run()), wanted);
}

TEST_F(Step2Interact, MovesTheStudentAlone) {
  const auto learns = make_trainable(*student_.model, {"decoder"}, "test");
  const auto of_verbalizers = method_fixture::verbalizer_parameters(student_, /*learn=*/true);
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
                                live_teacher(teacher_.model, teacher_.verbalizers, student_.model, kAllIds),
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
