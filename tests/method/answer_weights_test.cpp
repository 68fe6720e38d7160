// What an answer weighs: a position of weight two counts as two positions do, in the loss and the gradient of every
// step.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "method/step1_verbalize.h"
#include "method/step2_interact.h"
#include "method/step3_finetune.h"
#include "run/run_cache.h"
#include "teacher/teacher_cache.h"
#include "tests/method/method_fixture.h"
#include "tests/teacher/cache_fixture.h"

namespace vlsi {
namespace {

using method_fixture::load_samples;
using method_fixture::stored_speaker;

/// The stored samples with weights 1, 2, 3, 1, ... by turns, but for the second of them, which has none.
Batch weighted_batch() {
  auto samples = load_samples(0);
  for (const size_t i : {0, 2}) {
    for (size_t n = 0; n < samples[i].labels.size(); ++n) samples[i].label_weights.push_back(1.0F + n % 3);
  }
  return pack(samples);
}

/// The same samples with each position as often as its weight says.
Batch repeated_batch() {
  auto samples = load_samples(0);
  for (const size_t i : {0, 2}) {
    auto& sample = samples[i];
    const auto positions = sample.answer_positions, labels = sample.labels;
    sample.answer_positions.clear();
    sample.labels.clear();
    for (size_t n = 0; n < labels.size(); ++n) {
      sample.answer_positions.insert(sample.answer_positions.end(), 1 + n % 3, positions[n]);
      sample.labels.insert(sample.labels.end(), 1 + n % 3, labels[n]);
    }
  }
  return pack(samples);
}

/// A batch's loss and the parameters' gradients of it, both divided by the sum of weights.
struct Measured {
  StepOutput output;
  double loss;
  std::vector<at::Tensor> gradients;
};

Measured measure(const std::function<StepOutput(const Batch&)>& step, const Batch& batch,
                 const NamedTensors& parameters) {
  for (const auto& [name, parameter] : parameters) parameter.mutable_grad() = at::Tensor();
  auto output = step(batch);
  const auto mean = output.loss / batch.sum_of_weights();
  mean.backward();
  Measured measured{std::move(output), mean.item<double>(), {}};
  for (const auto& [name, parameter] : parameters) measured.gradients.push_back(parameter.grad());
  return measured;
}

/// Every mean of the log, too.
void expect_weights_count(const std::function<StepOutput(const Batch&)>& step, const NamedTensors& parameters) {
  const auto weighted = weighted_batch(), repeated = repeated_batch(), plain = pack(load_samples(0));
  ASSERT_EQ(weighted.sum_of_weights(), static_cast<double>(repeated.num_answers()));
  const auto found = measure(step, weighted, parameters), wanted = measure(step, repeated, parameters);
  // float32 sums of a few hundred terms in another order.
  EXPECT_NEAR(found.loss, wanted.loss, 1e-5 * std::abs(wanted.loss));
  EXPECT_GT(std::abs(measure(step, plain, parameters).loss - wanted.loss), 1e-3) << "weights make a difference";
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto &a = found.gradients[i], &b = wanted.gradients[i];
    ASSERT_EQ(a.defined(), b.defined()) << parameters[i].first;
    if (!b.defined()) continue;
    EXPECT_LE((a - b).abs().max().item<double>(), 2e-5 * (1e-3 + b.abs().max().item<double>())) << parameters[i].first;
  }
  MetricSums of_found, of_wanted;
  for (const auto& [name, mean] : found.output.means) of_found.add(name, mean);
  for (const auto& [name, mean] : wanted.output.means) of_wanted.add(name, mean);
  const Json means = of_found.means(), wanted_means = of_wanted.means();
  for (const auto& [name, mean] : wanted_means.items()) method_fixture::expect_near(means.at(name), mean, name);
  EXPECT_EQ(found.output.lists.value("matches", OrderedJson()), wanted.output.lists.value("matches", OrderedJson()));
}

// A label of the batches, so that the means without it are of some positions alone.
int32_t some_label() { return load_samples(0)[0].labels[1]; }

TEST(AnswerWeights, CountInVerbalization) {
  const auto speaker = stored_speaker("student");
  FrozenRows rows(speaker.model, speaker.verbalizers->request(/*final_rows=*/false));
  expect_weights_count([&](const Batch& batch) { return verbalize(rows, *speaker.verbalizers, batch, some_label()); },
                       method_fixture::verbalizer_parameters(speaker, /*learn=*/true));
}

TEST(AnswerWeights, CountInFineTuning) {
  const auto speaker = stored_speaker("student");
  auto parameters = speaker.model->named_parameters();
  for (auto& [name, parameter] : parameters) parameter.set_requires_grad(part_of(name) != "vision");
  expect_weights_count([&](const Batch& batch) { return finetune(*speaker.model, batch, some_label()); }, parameters);
}

using Losses = std::tuple<LossKind, LastLoss, const char*>;  // intermediate, last, matching rule

class AnswerWeightsOf : public testing::TestWithParam<Losses> {};

TEST_P(AnswerWeightsOf, CountInInteraction) {
  const auto student = stored_speaker("student"), teacher = stored_speaker("teacher");
  auto parameters = student.model->named_parameters();
  for (auto& [name, parameter] : parameters) parameter.set_requires_grad(part_of(name) == "decoder");
  InteractionConfig config;
  std::tie(config.intermediate_loss, config.last_loss, std::ignore) = GetParam();
  config.matching.rule = ChosenRule(std::get<2>(GetParam()));
  const auto grams = head_grams(student.model->head(), teacher.model->head());
  expect_weights_count(
      [&](const Batch& batch) {
        Random random(1);
        const auto live = live_teacher(teacher.model, teacher.verbalizers, student.model, kAllIds);
        return interact({*student.model, student.verbalizers.get(), live, config, random, some_label(), &grams}, batch);
      },
      parameters);
}

INSTANTIATE_TEST_SUITE_P(AnswerWeights, AnswerWeightsOf,
                         testing::Values(Losses{LossKind::kKl, LossKind::kKl, "multinomial"},
                                         Losses{LossKind::kKl, LossKind::kCrossEntropy, "expected"},
                                         Losses{LossKind::kL2, LossKind::kL2, "bottom_1"},
                                         Losses{LossKind::kCrossEntropy, LossKind::kNone, "uniform"},
                                         Losses{LossKind::kNone, LossKind::kKl, "uniform"},
                                         Losses{LossKind::kKl, LastLoss("jsd"), "multinomial"},
                                         Losses{LossKind::kNone, LastLoss("top_k_kl"), "uniform"}));

TEST(AnswerWeights, CountWithACachedTeacher) {
  const Folder folder;
  cache_fixture::write_cache(folder.path());
  const auto& pair = cache_fixture::pair();
  const auto cache = std::make_shared<TeacherCache>(folder.path(), pair.origin());
  InteractionConfig config;
  config.matching.rule = ChosenRule("uniform");
  const auto loss = [&](const Teacher& teacher, const Batch& batch) {
    at::NoGradGuard no_grad;
    Random random(1);
    const auto output =
        interact({*pair.student.model, pair.student.verbalizers.get(), teacher, config, random, some_label()}, batch);
    return output.loss.item<double>() / batch.sum_of_weights();
  };
  const auto cached = cached_teacher(cache, pair.origin().layers);
  const double wanted = loss(pair.live(), weighted_batch());
  EXPECT_NEAR(loss(cached, weighted_batch()), wanted, 2e-3) << "float16 rows, as without weights";
  EXPECT_GT(std::abs(loss(cached, pack(load_samples(0))) - wanted), 5e-3) << "weights make a difference";
}

}  // namespace
}  // namespace vlsi
