// Whole plans: how they hang together, as JSON and as text, and when a run is refused.
#include "plan/plan.h"

#include "base/error.h"
#include "tests/plan/plan_fixture.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

using namespace plan_fixture;

/// A plan without measured rates, of a program so small that a change weighs beside it, however large this process is.
PlanOptions small_program(std::vector<StepKind> among = steps_by_choice(), bool resume = false) {
  return {std::move(among), /*measures=*/false, resume, /*num_ranks=*/1, /*program_bytes=*/1 << 20};
}

/// A run of two small models on text.
class PlannedPair {
 public:
  PlannedPair() {
    for (const auto& [name, layers, width] : {std::tuple("student", 2, 64), std::tuple("teacher", 4, 128)}) {
      StoredModel(folder_.path() / name, small_config(layers, width, true), at::kFloat, at::kFloat);
    }
    std::string records;
    for (int i = 0; i < 30; ++i) records += record("what is it?") + "\n";
    config.out = folder_.path() / "run";
    config.dtype = {at::kFloat};
    config.student.model = folder_.path() / "student";
    config.teacher.model = folder_.path() / "teacher";
    config.student.layers = {1};
    config.teacher.layers = {1, 2};
    config.student.lora.rank = 4;
    for (auto* data : {&config.data, &config.verbalize.data, &config.verbalize.student_data, &config.interact.data,
                       &config.finetune.data}) {
      data->train = {{folder_.write("data.jsonl", records), {}, 1}};
      data->batch_tokens = data->sample_tokens = 200;
    }
  }

  RunConfig config;

 private:
  Folder folder_;
};

TEST(Plan, HasEveryStepOfTheRun) {
  PlannedPair pair;
  pair.config.finetune.epochs = 2;
  pair.config.finetune.optimizer.accumulate = 3;
  const auto plan = make_plan(pair.config, {});
  std::vector<std::string> steps;
  for (const auto& step : plan.steps) {
    steps.push_back(name_of(step.step));
    EXPECT_LE(total_bytes(step.memory), plan.peak_bytes());
    EXPECT_GT(step.seconds.value_or(0), 0);
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"verbalize-student", "verbalize-teacher", "interact", "finetune"}));
  EXPECT_EQ(total_bytes(plan.largest_step().memory), plan.peak_bytes());
  EXPECT_EQ(plan.steps[0].iterations, 500);
  const auto& last = plan.steps[3];
  EXPECT_EQ(last.iterations, std::ceil(2 * 30 / (3 * last.data.mean.samples)));
  EXPECT_TRUE(plan.fits());

  const auto alone = make_plan(pair.config, small_program(steps_by_choice("interact")));
  ASSERT_EQ(alone.steps.size(), 1);
  EXPECT_EQ(alone.steps[0].step, StepKind::kInteract);
  EXPECT_FALSE(alone.rates || alone.steps[0].seconds);
}

TEST(Plan, IsTheSameAsJsonAndAsText) {
  const PlannedPair pair;
  const auto plan = make_plan(pair.config, {});
  const auto json = to_json(plan);
  EXPECT_EQ(json.at("peak_bytes").get<double>(), std::round(plan.peak_bytes()));
  EXPECT_EQ(json.at("fits"), true);
  ASSERT_EQ(json.at("steps").size(), 4);
  for (const auto& step : json.at("steps")) {
    double sum = 0;
    for (const auto& [name, bytes] : step.at("memory").items()) sum += bytes.get<double>();
    EXPECT_NEAR(sum, step.at("memory_bytes").get<double>(), 12) << "rounded to bytes, part by part";
    EXPECT_NEAR(step.at("samples_per_hour").get<double>() * step.at("seconds").get<double>() / 3600,
                16 * step.at("micro_batch").at("mean").at("samples").get<double>(), 1e-6);
  }
  const auto text = to_text(plan);
  for (const char* part : {"verbalize-teacher", "program", "student weights", "allocator gaps", "together", "FLOP",
                           "samples an hour", "the step", "peak ", ": it fits", "disk ", "this machine"}) {
    EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in\n" << text;
  }
}

TEST(Plan, SaysWhatToChange) {
  PlannedPair pair;
  pair.config.student.lora.rank = 0;
  pair.config.interact.train = {"decoder"};
  const auto plan = make_plan(pair.config, small_program());
  for (const auto& advice : plan.advice) EXPECT_LT(advice.peak_bytes, plan.peak_bytes());
  for (size_t i = 1; i < plan.advice.size(); ++i) EXPECT_LE(plan.advice[i - 1].peak_bytes, plan.advice[i].peak_bytes);
  EXPECT_FALSE(plan.advice.empty());
}

TEST(Plan, OffersEveryOtherTargetLayerWhereTheTeachersVerbalizersAreNotMadeYet) {
  const auto advises = [](const RunConfig& config, const std::string& change) {
    const auto plan = make_plan(config, small_program());
    return std::any_of(plan.advice.begin(), plan.advice.end(),
                       [&](const auto& advice) { return advice.change == change; });
  };
  Folder folder;  // of a teacher wide enough for its verbalizers to weigh beside the program
  StoredModel(folder.path() / "wide", small_config(3, 512, true), at::kFloat, at::kFloat);
  PlannedPair pair;
  pair.config.teacher.model = folder.path() / "wide";
  pair.config.student.layers = {1};
  pair.config.teacher.layers = {1, 2, 3};
  EXPECT_TRUE(advises(pair.config, "fewer target layers: teacher.layers: [1,3]"));
  pair.config.student.layers = {1, 2};
  pair.config.teacher.layers = {2, 3};
  EXPECT_FALSE(advises(pair.config, "fewer target layers: teacher.layers: [3]")) << "not fewer than the student's";
}

TEST(Plan, CountsDiskOfCheckpointsResultAndVerbalizers) {
  PlannedPair pair;
  pair.config.checkpoint.keep = 1;
  pair.config.finetune.train = {"lora"};
  const auto plan = make_plan(pair.config, small_program());
  const double verbalizers = 3 * 64 * 64 + 2 * 3 * 128 * 128;
  EXPECT_EQ(part(plan.disk, "verbalizers"), 4 * verbalizers);
  EXPECT_EQ(part(plan.disk, "checkpoints"),
            2 * 12 * 2 * 3 * 128 * 128);  // of the teacher's verbalizers, the largest that learn
  EXPECT_GT(part(plan.disk, "result"), 4 * 2 * 64 * 64);
  EXPECT_EQ(part(plan.disk, "vision cache"), 0);
}

TEST(Plan, CountsDiskOfWhatTheFinetuningCarries) {
  PlannedPair pair;
  pair.config.checkpoint.keep = 1;
  pair.config.interact.train = {"lora"};
  pair.config.finetune.train = {"decoder"};
  const auto student = read_model_sizes(pair.config.student.model, at::kFloat);
  const auto& lora = pair.config.student.lora;
  EXPECT_EQ(part(make_plan(pair.config, small_program()).disk, "checkpoints"),
            2 * (12 * student.part("decoder").values + 4 * student.lora_values(lora.rank, lora.targets)));
}

TEST(Plan, RefusesWhatItCannotPlan) {
  PlannedPair pair;
  pair.config.device = {at::kCUDA};
  EXPECT_ERROR(make_plan(pair.config, {}), "key 'device' is cuda");
  pair.config.device = {at::kCPU};
  pair.config.student.layers = {9};
  EXPECT_ERROR(make_plan(pair.config, {}), "key 'student.layers' names layer 9");
  pair.config.student.layers = {1};
  pair.config.finetune.iterations = 0;
  EXPECT_ERROR(make_plan(pair.config, small_program(steps_by_choice("finetune"))), "there is no step to plan");
}

TEST(CheckFits, RefusesWhatMemoryIsNotEnoughForAndSaysWhatWouldBe) {
  PlannedPair pair;
  const auto plan = make_plan(pair.config, small_program());
  const int64_t disk = int64_t{1} << 40;
  EXPECT_NO_THROW(check_fits(pair.config, small_program(), {int64_t{1} << 40, disk}));
  EXPECT_NO_THROW(check_fits(pair.config, small_program(), {std::nullopt, disk}));
  // The largest possible micro-batches would not fit, those of the data do.
  EXPECT_NO_THROW(check_fits(pair.config, small_program(), {static_cast<int64_t>(1.05 * plan.peak_bytes()), disk}));
  const auto message = message_of([&] { check_fits(pair.config, small_program(), {1 << 20, disk}); });
  for (const auto& part : {"its step " + name_of(plan.largest_step().step) + " needs about",
                           std::string("1.0 MiB are available"), std::string("--force"), std::string("vlsi plan")}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST(CheckFits, RefusesWhatDiskIsNotEnoughFor) {
  PlannedPair pair;
  const auto plan = make_plan(pair.config, small_program());
  EXPECT_TRUE(plan.fits_disk());
  const auto needed = static_cast<int64_t>(total_bytes(plan.disk));
  EXPECT_NO_THROW(check_fits(pair.config, small_program(), {std::nullopt, needed + 1}));
  const auto message = message_of([&] { check_fits(pair.config, small_program(), {std::nullopt, needed - 1}); });
  for (const char* part : {"its folder needs about", "of disk", "are free there", "checkpoint.keep", "--force"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

/// A checkpoint of the run after `iteration` iterations of `step`.
void stop_at(const RunConfig& config, const std::string& step, int64_t iteration) {
  RunDirectory(config.out, "", false)
      .write_checkpoint({step, iteration, iteration, {}, ""}, {source_of("x", at::ones({1000}))}, 1);
}

TEST(Plan, OfARunThatIsContinuedCountsWhatIsLeft) {
  PlannedPair pair;
  const auto whole = make_plan(pair.config, small_program());
  stop_at(pair.config, "interact", 300);
  EXPECT_EQ(make_plan(pair.config, small_program()).steps.size(), 4);
  const auto left = make_plan(pair.config, small_program(steps_by_choice(), /*resume=*/true));
  ASSERT_EQ(left.steps.size(), 2);
  EXPECT_EQ(left.steps[0].step, StepKind::kInteract);
  EXPECT_EQ(left.steps[0].iterations, 700);
  EXPECT_EQ(left.steps[1].iterations, 500);
  EXPECT_EQ(total_bytes(left.disk), total_bytes(whole.disk)) << "what is there already is its own";
  EXPECT_GT(left.own_disk_bytes, 4000);
  EXPECT_EQ(whole.own_disk_bytes, 0);
  write_text(pair.config.out / "teacher-cache/shard-00000.safetensors", std::string(500, 'x'));
  write_text(pair.config.out / "model/model.safetensors", std::string(70, 'x'));
  write_text(pair.config.out / "teacher-verbalizers/verbalizers.safetensors", std::string(8, 'x'));
  EXPECT_EQ(make_plan(pair.config, small_program(steps_by_choice(), /*resume=*/true)).own_disk_bytes,
            left.own_disk_bytes + 78)
      << "what the run does not replace stays";
  EXPECT_ERROR(make_plan(pair.config, small_program(steps_by_choice("verbalize"), /*resume=*/true)),
               "there is no step to plan");
  EXPECT_NO_THROW(check_fits(pair.config, small_program(steps_by_choice("verbalize"), /*resume=*/true), {1, 0}));

  // The verbalization of the teacher, the largest step of this run by far, is over.
  pair.config.verbalize.network.architecture = ChosenNetwork("ffn_x2");
  pair.config.interact.intermediate_loss = LossKind::kNone;
  const auto all = make_plan(pair.config, small_program()),
             rest = make_plan(pair.config, small_program(steps_by_choice(), /*resume=*/true));
  ASSERT_LT(rest.peak_bytes(), 0.99 * all.peak_bytes());
  const Room room{static_cast<int64_t>((rest.peak_bytes() + all.peak_bytes()) / 2), int64_t{1} << 40};
  EXPECT_NO_THROW(check_fits(pair.config, small_program(steps_by_choice(), /*resume=*/true), room));
  EXPECT_ERROR(check_fits(pair.config, small_program(), room), "its step verbalize-teacher needs");
}

}  // namespace
}  // namespace vlsi
