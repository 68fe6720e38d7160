// Epochs counted in iterations.
#include "run/step_data.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"
#include "tests/data/fake_processor.h"

namespace vlsi {
namespace {

/// Data of `count` records; the length of record i is length(i).
template <class Length>
RunConfig run_over(const Folder& folder, int count, int64_t batch_tokens, const Length& length) {
  std::string text;
  for (int i = 0; i < count; ++i) text += record(std::to_string(length(i))) + "\n";
  RunConfig config;
  config.seed = 5;
  config.interact.data.train = {{folder.write("data.jsonl", text), {}, 1.0}};
  config.interact.data.batch_tokens = batch_tokens;
  return config;
}

int64_t iterations(double epochs, int64_t accumulate, RunConfig config) {
  config.interact.epochs = epochs;
  config.interact.optimizer.accumulate = accumulate;
  return iterations_of_epochs(config, StepKind::kInteract, FakeProcessor(), /*num_ranks=*/1);
}

TEST(IterationsOfEpochs, CountsThePackedBatches) {
  const Folder folder;
  const auto five_tokens = run_over(folder, 10, 20, [](int) { return 5; });  // four records a batch
  EXPECT_EQ(iterations(2, 1, five_tokens), 5);
  EXPECT_EQ(iterations(1, 1, five_tokens), 3);  // the third batch goes on into the next epoch
  EXPECT_EQ(iterations(0.5, 1, five_tokens), 2);
  EXPECT_EQ(iterations(2, 2, five_tokens), 3);
  EXPECT_EQ(iterations(1e-6, 4, five_tokens), 1);
}

TEST(IterationsOfEpochs, AreThoseAfterWhichTheLoaderHasPassedThem) {
  const Folder folder;
  auto config = run_over(folder, 50, 30, [](int i) { return 1 + i * 7 % 17; });
  for (const bool shuffle : {true, false}) {
    config.interact.data.shuffle = shuffle;
    const FakeProcessor processor;
    const auto open = open_training_data(config, StepKind::kInteract, processor).open;
    const auto loader = open({}, {});
    const int64_t counted = iterations(3, 1, config);
    for (int64_t i = 0; i < counted; ++i) {
      EXPECT_LT(loader->cursor().epoch, 3) << "before iteration " << i;
      loader->next();
    }
    EXPECT_GE(loader->cursor().epoch, 3);
  }
}

TEST(IterationsOfEpochs, EstimatesLongEpochsByTheirFirstRecords) {
  const Folder folder;
  // Four records a batch: the 1,024 that are counted give 256 batches, so 3 epochs of 5,000 give 3,750.
  EXPECT_EQ(iterations(3, 1, run_over(folder, 5000, 20, [](int) { return 5; })), 3750);
  EXPECT_EQ(iterations(3, 16, run_over(folder, 5000, 20, [](int) { return 5; })), 235);
  // Lengths 1 to 9, mean 5: the true number is within the sampling error of 1,024 of them, 2.6 / (5 √1024) = 1.6 %,
  // three times over.
  const auto uneven = run_over(folder, 5000, 40, [](int i) { return 1 + i * 7 % 9; });
  const FakeProcessor processor;
  const auto open = open_training_data(uneven, StepKind::kInteract, processor).open;
  const auto loader = open({}, {});
  int64_t exact = 0;
  while (loader->cursor().epoch < 1) loader->next(), ++exact;
  EXPECT_NEAR(iterations(1, 1, uneven), exact, 0.05 * exact);
}

TEST(IterationsOfEpochs, AreThoseOfTheDatasErrors) {
  const Folder folder;
  EXPECT_ERROR(iterations(1, 1, run_over(folder, 3, 20, [](int) { return 50; })), "sample has 50 tokens");
}

}  // namespace
}  // namespace vlsi
