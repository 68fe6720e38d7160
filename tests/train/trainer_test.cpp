// The loop: what an iteration is, what is logged, and that a stopped training ends where an undisturbed one does.
#include "train/trainer.h"

#include <ATen/ATen.h>

#include <atomic>

#include "base/interrupt.h"
#include "family/family.h"
#include "family/qwen2_vl/processor.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"
#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

const std::string kSettings = "seed: 1\n";

/// A parameter that is pulled to the answers' token ids: loss = sum over positions |w - id/100|^2, drawn positions
/// twice.
struct Task {
  explicit Task(at::ScalarType dtype = at::kFloat) : w(at::ones({3}, dtype).requires_grad_()) {
    step.name = "pull";
    step.iterations = 6;
    step.optimizer.learning_rate = 0.05;
    step.optimizer.accumulate = 2;
    step.parameters = {{"w", w}};
    step.random = &random;
    step.draws = 1;
    step.sparse_metric = "rare";
    step.sparse_every = 3;
    step.open_data = [this](Cursor start) {
      LoaderConfig config;
      config.batch_tokens = 120;
      return std::make_unique<Loader>(mixture, processor, config, start);
    };
    step.loss = [this](const Batch& batch) {
      StepOutput output;
      const auto target = batch.labels.to(at::kFloat).unsqueeze(1) / 100;  // [N, 1]
      output.loss = (w.to(at::kFloat) - target).square().sum() * (random.uniform() < 0.5 ? 2 : 1);
      output.means["rare"] = {at::tensor({1.0, 2.0}) * batch.num_answers(), batch.num_answers()};
      output.lists["sizes"] = OrderedJson::array({batch.num_answers()});
      losses.push_back(output.loss.item<double>());
      sizes.push_back(batch.num_answers());
      return output;
    };
  }

  fs::path data = fs::path(VLSI_TEST_DATA) / "tiny";
  Qwen2VlProcessor processor{data / "tokenizer", parse_model_config(read_json(data / "student.json"), "student.json"),
                             SpecialText::kControl};
  Mixture mixture{{DataSource{data / "train.json", {}, 1}}};
  Random random{5};
  at::Tensor w;
  TrainingStep step;
  std::vector<double> losses;
  std::vector<int64_t> sizes;
};

std::vector<OrderedJson> metrics_of(const fs::path& run) {
  std::vector<OrderedJson> lines;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    lines.push_back(OrderedJson::parse(line));
    lines.back().erase("seconds");
  }
  return lines;
}

Outcome train_in(const fs::path& path, Task& task, int64_t every = 100, const Ranks& ranks = one_rank()) {
  RunDirectory run(path, kSettings, /*resume=*/true, ranks);
  return train(task.step, run, {every, 2}, /*finished_before=*/10, at::kCPU);
}

TEST(Trainer, AnIterationsLossIsTheMeanOverAllItsPositions) {
  const Folder folder;
  Task task;
  ASSERT_EQ(train_in(folder / "run", task), Outcome::kFinished);
  const auto metrics = metrics_of(folder / "run");
  ASSERT_EQ(metrics.size(), 6);
  ASSERT_EQ(task.losses.size(), 12);
  for (size_t i = 0; i < metrics.size(); ++i) {
    const int64_t positions = task.sizes[2 * i] + task.sizes[2 * i + 1];
    EXPECT_EQ(metrics[i]["step"], "pull");
    EXPECT_EQ(metrics[i]["iteration"], i + 1);
    EXPECT_EQ(metrics[i]["answer_tokens"], positions);
    EXPECT_DOUBLE_EQ(metrics[i]["loss"].get<double>(),
                     (task.losses[2 * i] + task.losses[2 * i + 1]) / static_cast<double>(positions));
    EXPECT_EQ(metrics[i]["learning_rate"].get<double>(),
              learning_rate(task.step.optimizer, static_cast<int64_t>(i), 6));
    EXPECT_GT(metrics[i]["gradient_norm"].get<double>(), 0);
  }
}

TEST(Trainer, TellsOfAnIterationsMicroBatchesBeforeTheFirstLoss) {
  const Folder folder;
  Task task;
  std::vector<int64_t> prepared;
  task.step.prepare = [&](const std::vector<Batch>& batches) {
    EXPECT_EQ(prepared.size(), task.sizes.size()) << "those before have had their losses, these have not";
    for (const auto& batch : batches) prepared.push_back(batch.num_answers());
  };
  train_in(folder / "run", task);
  EXPECT_EQ(prepared, task.sizes);
}

TEST(Trainer, JoinsListsAndLogsARareMetricRarely) {
  const Folder folder;
  Task task;
  train_in(folder / "run", task);
  const auto metrics = metrics_of(folder / "run");
  for (size_t i = 0; i < metrics.size(); ++i) {
    EXPECT_EQ(metrics[i]["sizes"], (OrderedJson{task.sizes[2 * i], task.sizes[2 * i + 1]}));
    EXPECT_EQ(metrics[i].contains("rare"), i == 0 || i == 2 || i == 5) << i;
  }
  EXPECT_EQ(metrics[2]["rare"], (OrderedJson{1.0, 2.0}));
}

TEST(Trainer, WritesACheckpointEverySoOftenAndAtTheEnd) {
  const Folder folder;
  Task task;
  train_in(folder / "run", task, 4);
  for (const char* name : {"pull-4", "pull-6"}) EXPECT_TRUE(fs::exists(folder / "run/checkpoints" / name)) << name;
  EXPECT_FALSE(fs::exists(folder / "run/checkpoints/pull-2"));
  const RunDirectory run(folder / "run", kSettings, true);
  EXPECT_EQ(run.checkpoint()->state.iteration, 6);
  EXPECT_EQ(run.checkpoint()->state.sequence, 16);
}

class ResumedTrainer : public testing::TestWithParam<at::ScalarType> {};

TEST_P(ResumedTrainer, EndsWhereAnUndisturbedOneDoes) {
  const Folder folder;
  Task whole(GetParam());
  train_in(folder / "whole", whole);

  Task first(GetParam());
  const auto loss = first.step.loss;
  first.step.loss = [&](const Batch& batch) {
    if (first.losses.size() == 9) throw std::runtime_error("the lights went out");  // in the middle of iteration 5
    return loss(batch);
  };
  EXPECT_THROW(train_in(folder / "stopped", first, 3), std::runtime_error);
  Task second(GetParam());
  EXPECT_EQ(train_in(folder / "stopped", second, 3), Outcome::kFinished);

  EXPECT_TRUE(at::equal(second.w, whole.w));
  EXPECT_EQ(metrics_of(folder / "stopped"), metrics_of(folder / "whole"));
  EXPECT_EQ(second.losses, std::vector<double>(whole.losses.begin() + 6, whole.losses.end()));
}

INSTANTIATE_TEST_SUITE_P(Types, ResumedTrainer, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& type) { return std::string(c10::toString(type.param)); });

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
    task.step.open_data = [&](Cursor start) {
      return open(ranks.rank() == 0 ? start : Cursor{start.epoch, start.index + 1});
    };
    train_in(folder / "run", task, 100, ranks);
  });
  for (const auto& error : errors) {
    EXPECT_NE(error.find("rank 0 stands at [epoch, record] ["), std::string::npos) << error;
    EXPECT_NE(error.find("every rank must find the same files"), std::string::npos) << error;
  }
}

TEST(Trainer, LeavesAFinishedStepAsItIs) {
  const Folder folder;
  Task first, second;
  train_in(folder / "run", first);
  const auto before = metrics_of(folder / "run");
  EXPECT_EQ(train_in(folder / "run", second), Outcome::kFinished);
  EXPECT_TRUE(second.losses.empty());
  EXPECT_TRUE(at::equal(second.w, first.w));
  EXPECT_EQ(metrics_of(folder / "run"), before);
}

TEST(Trainer, CarriesWhatEarlierStepsChanged) {
  const Folder folder;
  Task first;
  first.step.carried = {{"adapter", at::full({2}, 7.0)}};
  train_in(folder / "run", first);
  Task second;
  auto adapter = at::zeros({2});
  second.step.carried = {{"adapter", adapter}};
  train_in(folder / "run", second);
  EXPECT_TRUE(at::equal(adapter, at::full({2}, 7.0)));

  Task misshapen;
  misshapen.step.carried = {{"adapter", at::zeros({3})}};
  expect_error([&] { train_in(folder / "run", misshapen); }, {"pull-6", "carried.adapter", "[2]", "[3]"});
  Task other;
  other.step.carried = {{"projector", at::zeros({2})}};
  expect_error([&] { train_in(folder / "run", other); }, {"pull-6", "carried.projector"});
}

TEST(Trainer, RefusesACheckpointOfOtherParameters) {
  const Folder folder;
  Task first;
  train_in(folder / "run", first);
  Task other;
  other.step.parameters = {{"v", other.w}};
  expect_error([&] { train_in(folder / "run", other); }, {"pull-6", "parameter.v"});
  Task wider;
  wider.step.parameters = {{"w", at::ones({4}).requires_grad_()}};
  expect_error([&] { train_in(folder / "run", wider); }, {"pull-6", "parameter.w", "[3]", "[4]"});
}

TEST(Trainer, StopsWhenTheLossIsNotFinite) {
  const Folder folder;
  Task task;
  const auto loss = task.step.loss;
  task.step.loss = [&](const Batch& batch) {
    auto output = loss(batch);
    if (task.losses.size() > 4) output.loss = output.loss * std::numeric_limits<double>::infinity();
    return output;
  };
  expect_error([&] { train_in(folder / "run", task, 1); }, {"pull", "iteration 3", "not finite", "learning rate"});
  EXPECT_TRUE(fs::exists(folder / "run/checkpoints/pull-2"));
  EXPECT_EQ(metrics_of(folder / "run").size(), 2);
}

TEST(Trainer, StopsWhenTheGradientIsNotFinite) {
  const Folder folder;
  Task task;
  task.step.loss = [&](const Batch&) {
    StepOutput output;
    output.loss = (task.w - task.w).abs().sqrt().sum();  // zero, with an infinite slope times nothing
    return output;
  };
  expect_error([&] { train_in(folder / "run", task, 1); }, {"pull", "gradient of iteration 1", "not finite"});
  EXPECT_FALSE(fs::exists(folder / "run/checkpoints"));
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

TEST(TrainerDeathTest, AnInterruptFinishesTheMicroBatchAndWritesACheckpoint) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // The wish cannot be taken back, so it is made in a process of its own.
  const auto interrupted_training = [] {
    const Folder folder;
    Task whole, stopped, resumed;
    train_in(folder / "whole", whole);
    const auto loss = stopped.step.loss;
    stopped.step.loss = [&](const Batch& batch) {
      auto output = loss(batch);
      if (stopped.losses.size() == 5) request_interrupt();  // the first half of iteration 3
      return output;
    };
    const bool was_interrupted = train_in(folder / "stopped", stopped) == Outcome::kInterrupted;
    const RunDirectory run(folder / "stopped", kSettings, true);
    const auto& found = run.checkpoint();
    const bool is_before_the_iteration = found && found->state.iteration == 2 && found->state.step == "pull";
    const auto expected = metrics_of(folder / "whole");
    const bool metrics_agree =
        metrics_of(folder / "stopped") == std::vector<OrderedJson>(expected.begin(), expected.begin() + 2);
    return was_interrupted && is_before_the_iteration && metrics_agree;
  };
  EXPECT_EXIT(::_exit(interrupted_training() ? 0 : 1), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vlsi
