// Step 2 of a pair whose teacher is shown other samples and shares only some of the vocabulary.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "method/step2_interact.h"
#include "objective/logit_l2.h"
#include "tests/method/method_fixture.h"

namespace vlsi {
namespace {

using method_fixture::load_samples;
using method_fixture::stored_speaker;

constexpr int64_t kSharedIds = 300;  // of 320

/// The sample behind a system turn of `count` tokens.
Sample behind_a_system_turn(Sample sample, int32_t count) {
  sample.tokens.insert(sample.tokens.begin(), static_cast<size_t>(count), 7);
  for (auto& axis : sample.positions) {
    for (auto& position : axis) position += count;
    for (int32_t i = count - 1; i >= 0; --i) axis.insert(axis.begin(), i);
  }
  for (auto* places : {&sample.answer_positions, &sample.image_token_positions}) {
    for (auto& place : *places) place += count;
  }
  sample.next_position += count;
  return sample;
}

class UnequalPair : public testing::Test {
 protected:
  UnequalPair() {
    for (auto& sample : load_samples(0)) {
      pairs_.push_back({sample, behind_a_system_turn(sample, static_cast<int32_t>(9 - 4 * pairs_.size()))});
    }
    config_.matching.rule = ChosenRule("bottom_1");
  }

  Interaction interaction(const HeadGrams* grams = nullptr) {
    return {*student_.model, student_.verbalizers.get(),   teacher(), config_,
            random_,         method_fixture::kNoEndOfTurn, grams};
  }
  Teacher teacher() const { return live_teacher(teacher_.model, teacher_.verbalizers, student_.model, kSharedIds); }
  Batch batch() const { return pack_pairs(pairs_); }

  /// What a model's heads read of all samples, one by one in the batch's order.
  at::Tensor rows_of(const Speaker& speaker, bool of_teacher) const {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> rows;
    for (const int64_t place : batch().order) {
      const auto& pair = pairs_[place];
      rows.push_back(
          verbal_rows(*speaker.model, speaker.verbalizers.get(), pack({of_teacher ? *pair.teachers : pair.own})));
    }
    return at::cat(rows, 1);
  }
  static at::Tensor shared_head(const Speaker& speaker) { return speaker.model->head().narrow(0, 0, kSharedIds); }

  /// The pairs' matrix without the last layers, which is logged, and these two alone.
  void expect_pairs(const StepOutput& output, const std::string& name, const at::Tensor& expected) const {
    const auto count = static_cast<double>(batch().num_answers());
    const auto found = output.means.at(name + "_matrix").sum / count;
    const int64_t s = expected.size(0) - 1, l = expected.size(1) - 1;
    // Float32 sums of some hundred terms of size one.
    EXPECT_TRUE(at::allclose(found, expected.narrow(0, 0, s).narrow(1, 0, l), 1e-5, 1e-5)) << found << expected;
    EXPECT_NEAR((output.means.at("last_" + name).sum / count).item<double>(), expected[s][l].item<double>(), 1e-5);
  }

  const Speaker student_ = stored_speaker("student"), teacher_ = stored_speaker("teacher");
  std::vector<SamplePair> pairs_;
  InteractionConfig config_;
  Random random_{1};
};

TEST_F(UnequalPair, TakesTheKlOfItsOwnRowsOverTheSharedOnes) {
  const auto u = rows_of(student_, false), u_teacher = rows_of(teacher_, true);
  expect_pairs(interact(interaction(), batch()), "kl",
               all_pairs_kl_plain(u, shared_head(student_), u_teacher, shared_head(teacher_)));
  const auto all_rows = all_pairs_kl_plain(u, student_.model->head(), u_teacher, teacher_.model->head()),
             same_samples =
                 all_pairs_kl_plain(u, shared_head(student_), rows_of(teacher_, false), shared_head(teacher_)),
             shared = all_pairs_kl_plain(u, shared_head(student_), u_teacher, shared_head(teacher_));
  EXPECT_GT((all_rows - shared).abs().max().item<double>(), 1e-3);
  EXPECT_GT((same_samples - shared).abs().max().item<double>(), 1e-3);
}

TEST_F(UnequalPair, TakesTheSquaredDifferenceOverTheSharedRows) {
  config_.intermediate_loss = config_.last_loss = LossKind::kL2;
  const auto grams = head_grams(student_.model->head(), teacher().running->head);
  EXPECT_EQ(grams.num_rows, kSharedIds);
  expect_pairs(interact(interaction(&grams), batch()), "l2",
               all_pairs_logit_l2_plain(rows_of(student_, false), shared_head(student_), rows_of(teacher_, true),
                                        shared_head(teacher_)));
}

TEST_F(UnequalPair, HasAStreamedTeacherThatIsShownTheSame) {
  const auto model = load_vlm(method_fixture::kFolder / "teacher", at::kFloat, at::kCPU, Residency::kStreamed);
  const auto streamed = live_teacher(model, teacher_.verbalizers, student_.model, kSharedIds);
  streamed.prepare({batch()});
  const auto found = streamed.summarize(batch()), expected = teacher().summarize(batch());
  EXPECT_TRUE(at::equal(found.expected_row, expected.expected_row));
  EXPECT_TRUE(at::equal(found.entropy, expected.entropy));
}

}  // namespace
}  // namespace vlsi
