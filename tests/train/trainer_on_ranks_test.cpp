// The loop on several ranks: the numbers of one, and how they stop together and go on.
#include <atomic>

#include "base/interrupt.h"
#include "tests/support/in_ranks.h"
#include "tests/train/pull.h"

namespace vlsi {
namespace {

using namespace pull_fixture;

/// The same numbers up to the rounding of sums of gradients, which one rank adds up one after the other: float32, a few
/// of them.
void expect_near(const std::vector<OrderedJson>& found, const std::vector<OrderedJson>& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE(wanted[i].dump());
    for (const auto& [key, value] : wanted[i].items()) {
      if (!value.is_number_float()) {
        EXPECT_EQ(found[i].at(key), value) << key;
        continue;
      }
      EXPECT_NEAR(found[i].at(key).get<double>(), value.get<double>(), 1e-6 * value.get<double>()) << key;
    }
  }
}

const std::vector<std::string> kTwoGoodEnds(2), kThreeGoodEnds(3);

TEST(TrainerOnRanks, GivesWhatOneRankWithAsManyMicroBatchesGives) {
  const Folder folder;
  Task alone;
  alone.step.optimizer.accumulate = 4;
  train_in(folder / "alone", alone);
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       Task task;
                       train_in(folder / "two", task, 100, ranks);
                       // Micro-batches 0 and 1 of each four are rank 0's, with the draws that one rank makes for them.
                       ASSERT_EQ(task.sizes.size(), 12);
                       for (size_t i = 0; i < 12; ++i)
                         EXPECT_EQ(task.sizes[i], alone.sizes[i / 2 * 4 + 2 * ranks.rank() + i % 2]);
                       EXPECT_EQ(task.random.state(), alone.random.state());
                       EXPECT_TRUE(at::allclose(task.w, alone.w, 1e-6));
                     }),
            kTwoGoodEnds);
  expect_near(metrics_of(folder / "two"), metrics_of(folder / "alone"));
}

/// Takes the gradient from the last micro-batch of each four, from the last two of iteration 3, and from all of
/// iteration 5. `number_of(i)` is that of the task's micro-batch i, from 0, among those of all ranks.
void detach_some(Task& task, const std::function<int64_t(int64_t)>& number_of) {
  task.step.loss = [&task, number_of, loss = task.step.loss](const Batch& batch) {
    auto output = loss(batch);
    const int64_t number = number_of(std::ssize(task.losses) - 1), iteration = number / 4 + 1, place = number % 4;
    if (place == 3 || (iteration == 3 && place == 2) || iteration == 5) output.loss = output.loss.detach();
    return output;
  };
}

TEST(TrainerOnRanks, TakeALossWithoutGradientForOneThatTeachesNothing) {
  const Folder folder;
  Task alone;
  alone.step.optimizer.accumulate = 4;
  detach_some(alone, [](int64_t i) { return i; });
  train_in(folder / "alone", alone);
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       Task task;
                       detach_some(task, [&](int64_t i) { return i / 2 * 4 + 2 * ranks.rank() + i % 2; });
                       train_in(folder / "two", task, 100, ranks);
                       EXPECT_TRUE(at::allclose(task.w, alone.w, 1e-6));
                     }),
            kTwoGoodEnds);
  const auto metrics = metrics_of(folder / "two");
  expect_near(metrics, metrics_of(folder / "alone"));
  for (size_t i = 0; i < metrics.size(); ++i) EXPECT_EQ(metrics[i].at("gradient_norm").get<double>() == 0, i == 4) << i;
}

TEST(TrainerOnRanks, DividesByTheWeightsOfAllRanks) {
  const Folder folder;
  const auto data = folder.write("data.json", R"([
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "a circle", "weight": 3}]},
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "a square"}]},
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "a red dot", "weight": 0.5}]}])");
  const auto train = [&](const char* run, int64_t accumulate, const Ranks& ranks) {
    Task task;
    task.mixture = Mixture({DataSource{data, {}, 1}});
    task.step.optimizer.accumulate = accumulate;
    train_in(folder / run, task, 100, ranks);
  };
  train("alone", 4, one_rank());
  EXPECT_EQ(in_ranks(2, [&](const Ranks& ranks) { train("two", 2, ranks); }), kTwoGoodEnds);
  expect_near(metrics_of(folder / "two"), metrics_of(folder / "alone"));
}

TEST(TrainerOnRanks, GoesOnAfterAFailureBitForBitAndOnAnyNumberOfRanks) {
  const Folder folder;
  std::vector<double> losses;
  at::Tensor w;
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       Task task;
                       train_in(folder / "whole", task, 3, ranks);
                       if (ranks.is_first()) w = task.w;
                     }),
            kTwoGoodEnds);
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    Task task;
    const auto loss = task.step.loss;
    task.step.loss = [&](const Batch& batch) {
      if (task.losses.size() == 9 && ranks.rank() == 1)
        throw std::runtime_error("the lights went out");  // in iteration 5
      return loss(batch);
    };
    train_in(folder / "stopped", task, 3, ranks);
  });
  EXPECT_EQ(errors, (std::vector<std::string>{"rank 1 stopped: the lights went out", "the lights went out"}));
  for (const char* copy : {"one", "three"}) fs::copy(folder / "stopped", folder / copy, fs::copy_options::recursive);

  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       Task task;
                       train_in(folder / "stopped", task, 3, ranks);
                       EXPECT_TRUE(at::equal(task.w, w));
                     }),
            kTwoGoodEnds);
  EXPECT_EQ(metrics_of(folder / "stopped"), metrics_of(folder / "whole"));
  Task one;
  train_in(folder / "one", one, 3);
  EXPECT_EQ(one.losses.size(), 12)
      << "the four micro-batches of each of three iterations, whatever `accumulate` says of one rank";
  expect_near(metrics_of(folder / "one"), metrics_of(folder / "whole"));
  EXPECT_EQ(in_ranks(3,
                     [&](const Ranks& ranks) {
                       Task task;
                       train_in(folder / "three", task, 3, ranks);
                       EXPECT_EQ(task.losses.size(), ranks.rank() == 2 ? 6 : 3) << "four micro-batches, dealt to three";
                     }),
            kThreeGoodEnds);
  expect_near(metrics_of(folder / "three"), metrics_of(folder / "whole"));
}

TEST(TrainerOnRanks, LeavesRanksWithoutMicroBatchesWaiting) {
  const Folder folder;
  Task alone;
  alone.step.optimizer.accumulate = 1;
  train_in(folder / "alone", alone, 3);
  fs::copy(folder / "alone", folder / "two", fs::copy_options::recursive);
  fs::remove_all(folder / "two/checkpoints/pull-6");
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       Task task;
                       task.step.optimizer.accumulate = 1;
                       task.step.prepare = [&](const std::vector<Batch>& batches) {
                         EXPECT_EQ(batches.size(), ranks.rank() == 0 ? 0 : 1);
                       };
                       train_in(folder / "two", task, 3, ranks);
                       EXPECT_EQ(task.losses.size(), ranks.rank() == 0 ? 0 : 3);
                       EXPECT_TRUE(at::equal(task.w, alone.w)) << "nothing is added to the only gradient there is";
                     }),
            kTwoGoodEnds);
  EXPECT_EQ(metrics_of(folder / "two"), metrics_of(folder / "alone"));
}

TEST(TrainerOnRanks, StopsWhenTheyReadDifferentData) {
  const Folder folder;
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    Task task;
    const auto open = task.step.open_data;
    task.step.open_data = [&](Cursor start, const BatchShare& share) {
      return open(ranks.rank() == 0 ? start : Cursor{start.epoch, start.index + 1}, share);
    };
    train_in(folder / "run", task, 100, ranks);
  });
  for (const auto& error : errors) {
    EXPECT_NE(error.find("rank 0 stands at [epoch, record] ["), std::string::npos) << error;
    EXPECT_NE(error.find("every rank must find the same files"), std::string::npos) << error;
  }
}

TEST(TrainerOnRanks, StopsWhereTheLossOfOneIsNotFinite) {
  const Folder folder;
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    Task task;
    const auto loss = task.step.loss;
    task.step.loss = [&](const Batch& batch) {
      auto output = loss(batch);
      // The last micro-batch of iteration 3, whose gradients are on their way to the other rank before its loss is.
      if (ranks.rank() == 1 && task.losses.size() == 6)
        output.loss = output.loss * std::numeric_limits<double>::infinity();
      return output;
    };
    train_in(folder / "run", task, 1, ranks);
  });
  for (const auto& error : errors)
    EXPECT_NE(error.find("pull: the loss of iteration 3 is not finite"), std::string::npos) << error;
  EXPECT_EQ(metrics_of(folder / "run").size(), 2);
}

/// Whether two ranks stop together before iteration 4, or before 3, when an interrupt comes while rank 1 is in its last
/// micro-batch of iteration 3, and rank 0 in its last, too, or in its first.
bool ranks_stop_together(bool is_rank_0_in_its_last) {
  const Folder folder;
  std::atomic<bool> is_rank_1_in_its_last = false, is_interrupted = false;
  const int64_t finished = is_rank_0_in_its_last ? 3 : 2;
  std::vector<Outcome> outcomes(2, Outcome::kFinished);
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    Task task;
    const auto loss = task.step.loss;
    task.step.loss = [&](const Batch& batch) {
      auto output = loss(batch);
      const auto wait_for = [](const std::atomic<bool>& what) {
        while (!what) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      };
      if (ranks.rank() == 1 && task.losses.size() == 6) {
        is_rank_1_in_its_last = true;
        wait_for(is_interrupted);
      }
      if (ranks.rank() == 0 && task.losses.size() == (is_rank_0_in_its_last ? 6 : 5)) {
        wait_for(is_rank_1_in_its_last);
        request_interrupt();
        is_interrupted = true;
      }
      return output;
    };
    outcomes[ranks.rank()] = train_in(folder / "run", task, 100, ranks);
  });
  const RunDirectory run(folder / "run", kSettings, true);
  const auto& found = run.checkpoint();
  return errors == kTwoGoodEnds && outcomes == std::vector(2, Outcome::kInterrupted) && found &&
         found->state.iteration == finished && std::ssize(metrics_of(folder / "run")) == finished;
}

class RanksDeathTest : public testing::TestWithParam<bool> {};

TEST_P(RanksDeathTest, StopTogetherWhereOneIsInterruptedWhileTheOtherIsInItsLastMicroBatch) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(::_exit(ranks_stop_together(GetParam()) ? 0 : 1), testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(Rank0, RanksDeathTest, testing::Bool(),
                         [](const auto& where) { return where.param ? "InItsLast" : "InItsFirst"; });

}  // namespace
}  // namespace vlsi
