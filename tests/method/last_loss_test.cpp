// Losses of the last layer as configurations name them, and the divergences among them in step 2.
#include "objective/last_loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "method/step2_interact.h"
#include "model/parts.h"
#include "tests/data/data_files.h"
#include "tests/method/method_fixture.h"

namespace vlsi {
namespace {

namespace last_loss_test {

using method_fixture::load_batch;
using method_fixture::stored_speaker;

/// Float32 sums of some hundred terms of size one to ten.
constexpr double kDivergenceTolerance = 2e-5;

struct Untrained {
  StepOutput run(const std::string& last, LossKind intermediate = LossKind::kNone) const {
    InteractionConfig config;
    config.intermediate_loss = intermediate;
    config.last_loss = LastLoss(last);
    config.divergence = divergence;
    Random random(1);
    const Interaction interaction{*student.model,
                                  student.verbalizers.get(),
                                  live_teacher(teacher.model, teacher.verbalizers, student.model, kAllIds),
                                  config,
                                  random,
                                  static_cast<int32_t>(batch.labels.numel() > 0 ? batch.labels[0].item<int64_t>() : 0)};
    return interact(interaction, batch);
  }

  /// The definition at every position, in float64, over the words that both have. [N]
  at::Tensor plain(const Divergence& entry) const {
    const auto num_rows = std::min(student.model->head().size(0), teacher.model->head().size(0));
    const auto log_probabilities = [&](const Vlm& model) {
      const auto u = read_layers(model, nullptr, batch).last[0].to(at::kDouble);
      return at::log_softmax(at::mm(u, model.head().narrow(0, 0, num_rows).to(at::kDouble).t()), -1);
    };
    return entry.plain(log_probabilities(*teacher.model), log_probabilities(*student.model), divergence);
  }

  Speaker student = stored_speaker("student"), teacher = stored_speaker("teacher");
  Batch batch = load_batch(0);
  DivergenceConfig divergence{.jsd_beta = 0.3, .skew_alpha = 0.2, .top_k = 5};
};

double mean_of(const StepOutput& output, const std::string& name) {
  const auto& mean = output.means.at(name);
  return mean.sum.item<double>() / mean.weight;
}

}  // namespace last_loss_test

using namespace last_loss_test;

TEST(LastLoss, IsAKindOrADivergenceByName) {
  EXPECT_EQ(LastLoss().text(), "kl");
  EXPECT_EQ(LastLoss(LossKind::kCrossEntropy).text(), "ce");
  for (const auto& entry : last_losses()) {
    const auto loss = LastLoss::parse(entry.name);
    ASSERT_TRUE(loss.has_value());
    EXPECT_EQ(static_cast<LossKind>(*loss), entry.kind);
    EXPECT_EQ(loss->text(), entry.name);
  }
  for (const auto& entry : divergences()) EXPECT_EQ(&LastLoss(entry.name).divergence(), &entry);
  EXPECT_FALSE(LastLoss::parse("l1").has_value());
  EXPECT_EQ(LastLoss::expected(), "one of kl, ce, l2, none, reverse_kl, jsd, skew_kl, top_k_kl");
}

TEST(LastLoss, OfEveryDivergenceIsItsMean) {
  const Untrained models;
  for (const auto& entry : divergences()) {
    SCOPED_TRACE(entry.name);
    const auto plain = models.plain(entry);
    const double wanted = plain.mean().item<double>();
    EXPECT_GT(wanted, 0.01);
    const auto output = models.run(entry.name);
    EXPECT_NEAR(output.loss.item<double>() / static_cast<double>(models.batch.num_answers()), wanted,
                kDivergenceTolerance);
    EXPECT_NEAR(mean_of(output, "last_" + entry.name), wanted, kDivergenceTolerance);
    const auto is_word = models.batch.labels.ne(models.batch.labels[0]);
    EXPECT_NEAR(mean_of(output, "last_" + entry.name + "_words"), plain.masked_select(is_word).mean().item<double>(),
                kDivergenceTolerance);
    EXPECT_FALSE(output.means.contains("last_kl"));
  }
}

TEST(LastLoss, OfADivergenceStandsBesideAnyIntermediateLoss) {
  const Untrained models;
  for (const auto intermediate : {LossKind::kKl, LossKind::kCrossEntropy}) {
    const double alone = models.run("none", intermediate).loss.item<double>();
    for (const auto& entry : divergences()) {
      const auto output = models.run(entry.name, intermediate);
      EXPECT_NEAR((output.loss.item<double>() - alone) / static_cast<double>(models.batch.num_answers()),
                  models.plain(entry).mean().item<double>(), 2 * kDivergenceTolerance)
          << entry.name;
      EXPECT_EQ(output.means.contains("last_kl"), intermediate == LossKind::kKl);
    }
  }
}

TEST(LastLoss, OfADivergenceMovesTheStudentAlone) {
  Untrained models;
  const auto learns = make_trainable(*models.student.model, {"decoder"}, "test");
  const auto of_teacher = make_trainable(*models.teacher.model, {"decoder", "head"}, "test");
  for (const auto& entry : divergences()) {
    models.run(entry.name).loss.backward();
    for (const auto& [name, parameter] : learns) {
      EXPECT_TRUE(parameter.grad().defined()) << entry.name << name;
      parameter.mutable_grad() = at::Tensor();
    }
    for (const auto& [name, parameter] : of_teacher) EXPECT_FALSE(parameter.grad().defined()) << entry.name << name;
    EXPECT_FALSE(models.student.model->head().grad().defined()) << entry.name;
  }
}

TEST(LastLoss, OfADivergenceWithoutAnswersIsZero) {
  Untrained models;
  auto& batch = models.batch;
  batch.answer_positions = batch.answer_positions.narrow(0, 0, 0);
  batch.labels = batch.labels.narrow(0, 0, 0);
  batch.answer_starts.assign(batch.answer_starts.size(), 0);
  for (const auto& entry : divergences()) EXPECT_EQ(models.run(entry.name).loss.item<double>(), 0) << entry.name;
}

TEST(LastLoss, OfADivergenceNamesASampleOfWhichTheTeacherSaysNoNumber) {
  Untrained models;
  make_trainable(*models.teacher.model, {"decoder"}, "test");  // its own copy of the weights
  at::Tensor norm;
  for (const auto& [name, parameter] : models.teacher.model->named_parameters()) {
    if (part_of(name) == "decoder") norm = parameter;
  }
  norm.detach().fill_(NAN);
  EXPECT_ERROR(models.run("jsd"), "teacher's last layer");
}

}  // namespace
}  // namespace vlsi
