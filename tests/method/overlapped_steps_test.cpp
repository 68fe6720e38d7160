// Twenty iterations of each step on two ranks: with gradients that leave during the last backward pass, and without,
// bit for bit.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "method/step1_verbalize.h"
#include "method/step2_interact.h"
#include "method/step3_finetune.h"
#include "tests/method/method_fixture.h"
#include "tests/support/counting_ranks.h"
#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

using method_fixture::kNoEndOfTurn;
using method_fixture::load_batch;
using method_fixture::optimizer_of;
using method_fixture::stored_speaker;

/// All parameters of the trained model, and the losses on the way.
struct Trained {
  std::vector<at::Tensor> parameters;
  std::vector<double> losses;
  int64_t num_sums_while_training = 0;  // that began before a backward pass was over
};

/// Each rank goes through both batches, the second rank in the other order.
Trained train_on(const Ranks& inner, const NamedTensors& parameters, const std::string& step, bool overlaps,
                 const std::function<StepOutput(const Batch&)>& loss) {
  const CountingRanks ranks(inner);
  const Batch batches[] = {load_batch(0), load_batch(1)};
  AdamW optimizer(parameters, optimizer_of(step), ranks, /*at_once=*/5000);
  Trained trained;
  for (int64_t iteration = 0; iteration < 20; ++iteration) {
    for (int64_t i = 0; i < 2; ++i) {
      const auto& batch = batches[(i + ranks.rank()) % 2];
      const auto output = loss(batch);
      trained.losses.push_back(output.loss.item<double>());
      const int64_t before = ranks.num_sums();
      if (overlaps && i == 1) optimizer.expect_last_backward();
      (output.loss / static_cast<double>(batch.num_answers())).backward();
      optimizer.collect_gradients();
      trained.num_sums_while_training += ranks.num_sums() - before;
    }
    optimizer.step(1e-3);
  }
  for (const auto& item : parameters) trained.parameters.push_back(item.second.detach().clone());
  return trained;
}

Trained verbalize_on(const Ranks& ranks, bool overlaps) {
  const Speaker student = stored_speaker("student");
  FrozenRows rows(student.model, student.verbalizers->request(/*final_rows=*/false));
  return train_on(ranks, method_fixture::verbalizer_parameters(student, /*learn=*/true), "verbalize", overlaps,
                  [&](const Batch& batch) { return verbalize(rows, *student.verbalizers, batch, kNoEndOfTurn); });
}

Trained interact_on(const Ranks& ranks, bool overlaps) {
  const Speaker student = stored_speaker("student"), teacher = stored_speaker("teacher");
  student.model->set_activation_checkpointing(true);
  InteractionConfig config;
  Random random(1 + static_cast<uint64_t>(ranks.rank()));  // different layers on each rank
  const Interaction interaction{*student.model,
                                student.verbalizers.get(),
                                live_teacher(teacher.model, teacher.verbalizers, student.model, kAllIds),
                                config,
                                random,
                                kNoEndOfTurn};
  return train_on(ranks, make_trainable(*student.model, {"decoder", "vision"}, "test"), "interact", overlaps,
                  [&](const Batch& batch) { return interact(interaction, batch); });
}

Trained finetune_on(const Ranks& ranks, bool overlaps) {
  const Speaker student = stored_speaker("student");
  student.model->set_activation_checkpointing(true);
  return train_on(ranks, make_trainable(*student.model, {"decoder", "embeddings", "head", "projector"}, "test"),
                  "finetune", overlaps,
                  [&](const Batch& batch) { return finetune(*student.model, batch, kNoEndOfTurn); });
}

class OverlappedSteps : public testing::TestWithParam<Trained (*)(const Ranks&, bool)> {};

TEST_P(OverlappedSteps, TrainAsOthersBitForBit) {
  const auto errors = in_ranks(2, [](const Ranks& ranks) {
    const auto plain = GetParam()(ranks, false), overlapped = GetParam()(ranks, true);
    EXPECT_EQ(plain.num_sums_while_training, 0);
    EXPECT_GT(overlapped.num_sums_while_training, 19 * 2) << "the first iteration does not know yet what is used";
    EXPECT_EQ(overlapped.losses, plain.losses);
    ASSERT_EQ(overlapped.parameters.size(), plain.parameters.size());
    for (size_t i = 0; i < plain.parameters.size(); ++i)
      EXPECT_TRUE(at::equal(overlapped.parameters[i], plain.parameters[i])) << i;
  });
  EXPECT_EQ(errors, std::vector<std::string>(2));
}

std::string name_of(const testing::TestParamInfo<Trained (*)(const Ranks&, bool)>& step) {
  return step.param == verbalize_on ? "Verbalize" : step.param == interact_on ? "Interact" : "Finetune";
}

INSTANTIATE_TEST_SUITE_P(Steps, OverlappedSteps, testing::Values(verbalize_on, interact_on, finetune_on), name_of);

}  // namespace
}  // namespace vlsi
