// Answer positions weighed by visual advantage: weights against a plain formula, and step 2 with them.
#include "method/answer_weighting.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "method/step2_interact.h"
#include "run/run_cache.h"
#include "teacher/teacher_cache.h"
#include "teacher/visual_advantage.h"
#include "tests/data/data_files.h"
#include "tests/teacher/cache_fixture.h"

namespace vlsi {
namespace {

namespace answer_weighting_test {

using cache_fixture::load_batch;
using cache_fixture::pair;

/// Whether each answer position's record has a picture, in the batch's order.
std::vector<bool> seeing_positions(const Batch& batch, const std::vector<Sample>& samples) {
  std::vector<bool> sees;
  for (const int64_t place : batch.order) {
    sees.insert(sees.end(), samples[place].labels.size(), !samples[place].images.empty());
  }
  return sees;
}

/// The formula, number by number.
std::vector<double> plain_weights(const at::Tensor& advantage, const std::vector<bool>& sees,
                                  const std::vector<double>& labels, double strength) {
  std::vector<double> gains;
  double counted = 0, gained = 0;
  for (size_t n = 0; n < sees.size(); ++n) {
    gains.push_back(std::log1p(std::exp(std::max(-20.0, strength * advantage[n].item<double>()))));
    counted += sees[n] ? labels[n] : 0;
    gained += sees[n] ? labels[n] * gains[n] : 0;
  }
  for (size_t n = 0; n < sees.size(); ++n) gains[n] = sees[n] ? gains[n] * counted / gained : 1;
  return gains;
}

Teacher live(bool weighs) {
  const auto teacher = pair().live();
  return weighs ? with_visual_advantage(teacher, pair().teacher.model, pair().student.model) : teacher;
}

InteractionConfig weighing(double strength) {
  InteractionConfig config;
  config.matching.rule = ChosenRule("uniform");
  config.weighting = {WeightingKind::kVisualAdvantage, strength};
  return config;
}

StepOutput step(const Teacher& teacher, const InteractionConfig& config, const Batch& batch) {
  Random random(1);
  return interact(
      {*pair().student.model, pair().student.verbalizers.get(), teacher, config, random, method_fixture::kNoEndOfTurn},
      batch);
}

}  // namespace answer_weighting_test

using namespace answer_weighting_test;

TEST(AnswerWeighting, IsTheFormulasOfEveryPosition) {
  auto samples = method_fixture::load_samples(0);
  const auto advantage = at::linspace(-60, 40, pack(samples).num_answers());
  for (const bool labels_weigh : {false, true}) {
    if (labels_weigh) {
      for (size_t n = 0; n < samples[0].labels.size(); ++n) samples[0].label_weights.push_back(1.0F + n % 3);
    }
    const auto batch = pack(samples);
    std::vector<double> labels(batch.num_answers(), 1);
    for (int64_t n = 0; labels_weigh && n < batch.num_answers(); ++n) labels[n] = batch.label_weights[n].item<double>();
    const auto sees = seeing_positions(batch, samples);
    ASSERT_NE(std::find(sees.begin(), sees.end(), true), sees.end());
    ASSERT_NE(std::find(sees.begin(), sees.end(), false), sees.end());
    const auto weights = advantage_weights(advantage, batch, 0.7);
    const auto wanted = plain_weights(advantage, sees, labels, 0.7);
    double sum = 0, count = 0;
    for (size_t n = 0; n < wanted.size(); ++n) {
      const auto found = weights[n].item<double>();
      EXPECT_NEAR(found, wanted[n], 1e-6 * wanted[n]) << n;  // float64, rounded once to float32
      EXPECT_GT(found, 0) << n;
      EXPECT_TRUE(sees[n] || found == 1) << n;
      sum += labels[n] * found;
      count += labels[n];
    }
    EXPECT_NEAR(sum / count, 1, 1e-6);
  }
}

TEST(AnswerWeighting, OfEqualAdvantageIsOne) {
  const auto batch = load_batch(0);
  const auto weights = advantage_weights(at::full({batch.num_answers()}, 3.0F), batch, 2);
  EXPECT_LT((weights - 1).abs().max().item<double>(), 1e-6);
}

TEST(AnswerWeighting, OfStrengthZeroIsNoneBitForBit) {
  const auto batch = load_batch(0);
  InteractionConfig plain;
  plain.matching.rule = ChosenRule("uniform");
  const auto wanted = step(live(false), plain, batch), found = step(live(false), weighing(0), batch);
  EXPECT_TRUE(at::equal(found.loss, wanted.loss));
  EXPECT_FALSE(found.means.contains("visual_advantage"));
  EXPECT_FALSE(at::equal(step(live(true), weighing(1), batch).loss, wanted.loss));
}

TEST(AnswerWeighting, CountsInEveryLoss) {
  const auto batch = load_batch(0);
  const auto advantage = live(true).summarize(batch).advantage;
  auto by_hand = batch;
  by_hand.label_weights = advantage_weights(advantage, batch, 1.5);
  const auto grams = head_grams(pair().student.model->head(), pair().teacher.model->head());
  for (const auto intermediate : {LossKind::kKl, LossKind::kCrossEntropy, LossKind::kL2, LossKind::kNone}) {
    for (const char* last : {"kl", "l2", "jsd"}) {
      auto config = weighing(1.5), plain = weighing(0);
      config.intermediate_loss = plain.intermediate_loss = intermediate;
      config.last_loss = plain.last_loss = LastLoss(last);
      const auto run = [&](const InteractionConfig& which, const Batch& shown) {
        Random random(1);
        return interact({*pair().student.model, pair().student.verbalizers.get(), live(which.weighting.is_on()), which,
                         random, method_fixture::kNoEndOfTurn, &grams},
                        shown);
      };
      const double found = run(config, batch).loss.item<double>(), wanted = run(plain, by_hand).loss.item<double>();
      // The weights add up to the count but for their rounding to float32, by which the loss is multiplied again.
      EXPECT_NEAR(found, wanted, 1e-6 * wanted) << last;
      EXPECT_GT(std::abs(run(plain, batch).loss.item<double>() - wanted), 1e-4 * wanted) << last;
    }
  }
}

TEST(AnswerWeighting, LogsTheMeanAdvantage) {
  const auto batch = load_batch(0);
  const auto teacher = live(true);
  const auto mean = step(teacher, weighing(1), batch).means.at("visual_advantage");
  EXPECT_NEAR(mean.sum.item<double>() / mean.weight, teacher.summarize(batch).advantage.mean().item<double>(), 1e-6);
}

TEST(AnswerWeighting, OfACachedTeacherIsThatOfALiveOne) {
  const Folder folder;
  auto origin = pair().origin();
  origin.blank = kBlankPatches;
  {
    CacheWriter writer(folder.path(), origin, cache_fixture::kLarge);
    for (const int i : {0, 1}) writer.add(load_batch(i), live(true).summarize(load_batch(i)));
    writer.finish();
  }
  const auto cached = cached_teacher(std::make_shared<TeacherCache>(folder.path(), origin), origin.layers);
  for (const int i : {0, 1}) {
    const auto batch = load_batch(i);
    const auto count = static_cast<double>(batch.num_answers());
    // The weights are the same; the rows of a cache are rounded to float16.
    EXPECT_NEAR(step(cached, weighing(1), batch).loss.item<double>() / count,
                step(live(true), weighing(1), batch).loss.item<double>() / count, 2e-3);
  }
}

TEST(AnswerWeighting, NamesASampleWhoseAdvantageIsNoNumber) {
  auto teacher = live(true);
  teacher.summarize = [summarize = teacher.summarize](const Batch& batch) {
    auto summary = summarize(batch);
    summary.advantage[1] = NAN;
    return summary;
  };
  EXPECT_ERROR(step(teacher, weighing(1), load_batch(0)), "visual advantage is nan at answer token 2");
}

TEST(AnswerWeighting, OfNoAnswersIsNothing) {
  auto batch = load_batch(0);
  batch.answer_positions = batch.answer_positions.narrow(0, 0, 0);
  batch.labels = batch.labels.narrow(0, 0, 0);
  batch.answer_starts.assign(batch.answer_starts.size(), 0);
  EXPECT_EQ(step(live(true), weighing(1), batch).loss.item<double>(), 0);
}

}  // namespace
}  // namespace vlsi
