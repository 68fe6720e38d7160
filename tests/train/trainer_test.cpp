// The loop: what an iteration is, what is logged, and that a stopped training ends where an undisturbed one does.
#include "train/trainer.h"

#include "base/interrupt.h"
#include "tests/support/errors.h"
#include "tests/train/pull.h"

namespace vlsi {
namespace {

using namespace pull_fixture;

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

TEST(Trainer, DividesByTheSumOfTheWeights) {
  const Folder folder;
  const auto data = folder.write("data.json", R"([
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "a circle", "weight": 3}]},
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "a square"}]}])");
  Task task;
  task.mixture = Mixture({DataSource{data, {}, 1}});
  std::vector<double> weights;
  const auto loss = task.step.loss;
  task.step.loss = [&](const Batch& batch) {
    weights.push_back(batch.sum_of_weights());
    EXPECT_NE(weights.back(), static_cast<double>(batch.num_answers()));
    return loss(batch);
  };
  train_in(folder / "run", task);
  const auto metrics = metrics_of(folder / "run");
  for (size_t i = 0; i < metrics.size(); ++i) {
    EXPECT_DOUBLE_EQ(metrics[i]["loss"].get<double>(),
                     (task.losses[2 * i] + task.losses[2 * i + 1]) / (weights[2 * i] + weights[2 * i + 1]));
    EXPECT_EQ(metrics[i]["answer_tokens"], task.sizes[2 * i] + task.sizes[2 * i + 1]);
  }
}

TEST(Trainer, TakesALossWithoutGradientForOneThatTeachesNothing) {
  const Folder folder;
  Task task;
  std::vector<at::Tensor> w_before;  // each micro-batch
  const auto loss = task.step.loss;
  task.step.loss = [&](const Batch& batch) {
    w_before.push_back(task.w.detach().clone());
    auto output = loss(batch);
    const size_t number = task.losses.size();
    // The second half of iteration 2, and the whole of iteration 3.
    if (number >= 4 && number <= 6) output.loss = output.loss.detach();
    return output;
  };
  ASSERT_EQ(train_in(folder / "run", task), Outcome::kFinished);
  const auto metrics = metrics_of(folder / "run");
  ASSERT_EQ(metrics.size(), 6);
  for (size_t i = 0; i < metrics.size(); ++i) {
    const int64_t positions = task.sizes[2 * i] + task.sizes[2 * i + 1];
    EXPECT_DOUBLE_EQ(metrics[i]["loss"].get<double>(),
                     (task.losses[2 * i] + task.losses[2 * i + 1]) / static_cast<double>(positions));
    EXPECT_EQ(metrics[i]["gradient_norm"].get<double>() > 0, i != 2) << i;
    if (i + 1 == metrics.size()) break;
    EXPECT_EQ(at::equal(w_before[2 * i + 2], w_before[2 * i]), i == 2) << i;
  }
}

TEST(Trainer, GoesOnOnTheDataThatItBeganWith) {
  const Folder folder;
  const FileFingerprint then{"train.json", 9, "00"}, now{"train.json", 9, "01"};
  const auto resume = [&](const std::vector<FileFingerprint>& files, bool may_differ) {
    Task task;
    task.step.data = files;
    task.step.data_may_differ = may_differ;
    train_in(folder / "run", task);
  };
  resume({then}, false);
  resume({then}, false);
  expect_error([&] { resume({now}, false); },
               {"resuming from " + (folder / "run/checkpoints/pull-6").string(),
                "the data file train.json has changed since (9 bytes, checksum 01; then train.json, 9 bytes, 00)",
                "--data-may-differ"});
  expect_error([&] { resume({then, now}, false); }, {"the step has 2 data files, it had 1"});
  resume({now}, true);
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

TEST(Trainer, TellsOfEveryIterationAlsoWhereItGoesOn) {
  const Folder folder;
  std::vector<int64_t> begun;
  const auto train_some = [&] {
    Task task;
    task.step.begin = [&, losses = &task.losses, before = begun.size()](int64_t iteration) {
      EXPECT_EQ(losses->size(), 2 * (begun.size() - before)) << "before the iteration's first loss";
      begun.push_back(iteration);
    };
    train_in(folder / "run", task, 4);
  };
  train_some();
  fs::remove_all(folder / "run/checkpoints/pull-6");
  train_some();
  EXPECT_EQ(begun, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 4, 5}));
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

TEST(Trainer, RefusesACheckpointOfMoreIterationsThanTheStepHas) {
  const Folder folder;
  Task first;
  train_in(folder / "run", first);
  Task shorter;
  shorter.step.iterations = 5;
  expect_error([&] { train_in(folder / "run", shorter); },
               {"resuming from " + (folder / "run/checkpoints/pull-6").string(), "its iteration is 6, but pull has 5"});
  shorter.step.data_may_differ = true;
  EXPECT_EQ(train_in(folder / "run", shorter), Outcome::kFinished) << "epochs of other data";
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

TEST(TrainerDeathTest, AnInterruptEndsTheReadingOfAnIterationsMicroBatches) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto interrupted_reading = [] {
    const Folder folder;
    Task task;
    task.step.optimizer.accumulate = 100;
    int64_t num_read = 0;
    task.step.checks.emplace_back([&](const Batch&) {
      if (++num_read == 3) request_interrupt();
      return false;
    });
    const bool was_interrupted = train_in(folder / "run", task) == Outcome::kInterrupted;
    const auto found = newest_checkpoint(folder / "run");
    return was_interrupted && num_read == 3 && task.losses.empty() && found && found->state.iteration == 0 &&
           found->state.cursor.index == 0;
  };
  EXPECT_EXIT(::_exit(interrupted_reading() ? 0 : 1), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace vlsi
