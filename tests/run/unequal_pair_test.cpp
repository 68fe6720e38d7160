// Runs whose teacher sees otherwise than the student: other limits of pictures, another mean, other tokens.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "checkpoint/load.h"
#include "model/parts.h"
#include "objective/verbal_kl.h"
#include "plan/plan.h"
#include "run/make_cache.h"
#include "run/pair_processors.h"
#include "teacher/teacher.h"
#include "tests/seams/toy_run.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
using toy_run::TinyPair;

/// Gives the models settings of their own for pictures. Those of the data, 23 x 17 pixels, become 6 tokens by the
/// teacher's limits and 1 by the student's, or the other way round.
void see_differently(const TinyPair& pair, bool teacher_sees_more) {
  for (const std::string who : {"student", "teacher"}) {
    const auto path = pair.folder() / who / "preprocessor_config.json";
    auto json = read_json(path);
    const bool sees_more = (who == "teacher") == teacher_sees_more;
    json["min_pixels"] = sees_more ? 1024 : 256;
    if (who == "teacher") json["image_mean"] = {0.5, 0.4, 0.3}, json["image_std"] = {0.2, 0.3, 0.4};
    write_text(path, json.dump());
  }
}

/// The rows of `verbal_rows` at the answers of the samples, one sample a pass.
at::Tensor rows_of(const fs::path& folder, const std::string& who, const fs::path& input_of,
                   const std::vector<int64_t>& layers, const std::vector<int64_t>& records) {
  at::NoGradGuard no_grad;
  const auto model = load_vlm(folder / who, at::kFloat);
  const auto verbalizers = Verbalizers::load(folder / "run" / (who + "-verbalizers"), model->config().text,
                                             BackboneFingerprint::of(*model), layers);
  const auto processor = load_processor(input_of);
  const RecordFile file(TinyPair::train_data());
  std::vector<at::Tensor> rows;
  for (const int64_t record : records)
    rows.push_back(verbal_rows(*model, verbalizers.get(), pack({processor->encode(file.read(record))})));
  return at::cat(rows, 1);
}

/// The records that a first batch of at most `budget` tokens holds, in the file's order.
std::vector<int64_t> first_records(const fs::path& folder, int64_t budget) {
  const auto student = load_processor(folder / "student"), teacher = load_processor(folder / "teacher");
  const RecordFile file(TinyPair::train_data());
  std::vector<int64_t> records;
  int64_t own = 0, theirs = 0;
  for (int64_t record = 0; record < file.size(); ++record) {
    own += std::ssize(student->encode(file.read(record)).tokens);
    theirs += std::ssize(teacher->encode(file.read(record)).tokens);
    if (std::max(own, theirs) > budget) break;
    records.push_back(record);
  }
  return records;
}

const std::vector<std::string> kOneBatch{"data.shuffle=false", "optimizer.accumulate=1", "interact.iterations=1",
                                         "finetune.iterations=0", "data.batch_tokens=200"};

TEST(UnequalPair, ComparesWhatEachModelSaysOfItsOwnSamples) {
  for (const bool teacher_sees_more : {true, false}) {
    const TinyPair pair;
    see_differently(pair, teacher_sees_more);
    const auto lines = pair.run(kOneBatch);
    const fs::path folder = pair.folder() / "";
    const auto records = first_records(folder, 200);
    ASSERT_GT(records.size(), 2U);
    ASSERT_LT(records.size(), 12U);

    const auto u = rows_of(folder, "student", folder / "student", {1}, records);
    const auto head = load_vlm(folder / "student", at::kFloat)->head(),
               teacher_head = load_vlm(folder / "teacher", at::kFloat)->head();
    const auto kl_with = [&](const fs::path& input_of) {
      return all_pairs_kl_plain(u, head, rows_of(folder, "teacher", input_of, {1, 2}, records), teacher_head);
    };
    const auto expected = kl_with(folder / "teacher"), by_the_students_eyes = kl_with(folder / "student");
    for (const auto& line : lines) {
      if (line.at("step") != "interact") continue;
      EXPECT_EQ(line.at("answer_tokens"), u.size(1));
      // Float32 sums of 320 rows, of values near one.
      EXPECT_NEAR(line.at("last_kl").get<double>(), expected[1][2].item<double>(), 1e-5);
      for (int64_t l = 0; l < 2; ++l)
        EXPECT_NEAR(line.at("kl_matrix")[0][l].get<double>(), expected[0][l].item<double>(), 1e-5);
    }
    EXPECT_GT(std::abs(expected[1][2].item<double>() - by_the_students_eyes[1][2].item<double>()), 1e-3);
  }
}

TEST(UnequalPair, IsShownOneThingWhereTheProcessorsAreEqual) {
  const TinyPair pair;
  const auto load = [&] {
    const auto config = load_run_config(pair.folder() / "run.yaml", {});
    return load_processors(config, /*with_teacher=*/true);
  };
  const auto alike = load();
  EXPECT_EQ(alike.teacher, alike.student);
  see_differently(pair, true);
  const auto unlike = load();
  EXPECT_NE(unlike.teacher, unlike.student);
  EXPECT_EQ(unlike.shared_ids, kAllIds);
}

TEST(UnequalPair, IsVerbalizedByTheTeachersOwnSamples) {
  const TinyPair pair;
  see_differently(pair, /*teacher_sees_more=*/true);
  const std::vector<std::string> verbalize{"interact.iterations=0", "finetune.iterations=0",  "verbalize.iterations=1",
                                           "data.shuffle=false",    "optimizer.accumulate=1", "data.batch_tokens=200"};
  const auto tokens_of = [&](const std::vector<Json>& lines, const std::string& step) {
    for (const auto& line : lines) {
      if (line.at("step") == step) return line.at("tokens").get<int64_t>();
    }
    return int64_t{0};
  };
  const auto expected = [&](const std::string& who) {
    const auto processor = load_processor(pair.folder() / who);
    const RecordFile file(TinyPair::train_data());
    int64_t sum = 0;
    for (int64_t record = 0; record < file.size(); ++record) {
      const auto length = std::ssize(processor->encode(file.read(record)).tokens);
      if (sum + length > 200) break;
      sum += length;
    }
    return sum;
  };
  const auto lines = pair.run(verbalize);
  EXPECT_EQ(tokens_of(lines, "verbalize-student"), expected("student"));
  EXPECT_EQ(tokens_of(lines, "verbalize-teacher"), expected("teacher"));
  EXPECT_NE(expected("student"), expected("teacher"));
}

TEST(UnequalPair, IsPlannedWithTheTeachersOwnTokensAndPatches) {
  const TinyPair pair;
  const auto shape_of = [&] {
    auto config = load_run_config(pair.folder() / "run.yaml", {});
    for (const auto& step : make_plan(config, {steps_by_choice(), /*measures=*/false}).steps) {
      if (step.step == StepKind::kInteract) return step.data;
    }
    throw std::logic_error("no interaction is planned");
  };
  const auto equal = shape_of();
  EXPECT_TRUE(equal.is_shown_the_same);
  EXPECT_EQ(equal.teacher_mean.patches, equal.mean.patches);
  see_differently(pair, /*teacher_sees_more=*/true);
  const auto unequal = shape_of();
  EXPECT_FALSE(unequal.is_shown_the_same);
  EXPECT_EQ(unequal.teacher_mean.patches, 6 * unequal.mean.patches);
  EXPECT_EQ(unequal.teacher_mean.answers, unequal.mean.answers);
  EXPECT_GT(unequal.teacher_mean.tokens, unequal.mean.tokens);
}

/// Takes the teacher's sight.
void blind(const TinyPair& pair) {
  const auto model = load_vlm(pair.folder() / "teacher", at::kFloat);
  for (auto& [name, parameter] : model->named_parameters()) {
    if (part_of(name) == "projector") parameter.set_data(at::zeros_like(parameter));
  }
  save_vlm(pair.folder() / "blind", *model, at::kFloat, pair.folder() / "teacher");
  fs::remove_all(pair.folder() / "teacher");
  fs::rename(pair.folder() / "blind", pair.folder() / "teacher");
}

TEST(BlindTeacher, StopsTheRunAtItsFirstPictures) {
  const TinyPair pair;
  blind(pair);
  expect_error([&] { pair.run({}); }, {"verbalize-teacher: the teacher is blind", "teacher.check_sight: false"});
  fs::remove_all(pair.folder() / "run");
  const std::vector<std::string> last{"verbalize.iterations=0", "interact.intermediate_loss=none"};
  expect_error([&] { pair.run(last); }, {"interact: the teacher is blind"});
  fs::remove_all(pair.folder() / "run");
  for (const char* residency : {"streamed", "sharded"}) {
    expect_error(
        [&] {
          pair.run(
              {"verbalize.iterations=0", "interact.intermediate_loss=none", concat("teacher.residency=", residency)});
        },
        {"interact: the teacher is blind"});
    fs::remove_all(pair.folder() / "run");
  }
}

TEST(BlindTeacher, IsNoMatterWhereItIsNotLookedFor) {
  const TinyPair pair;
  blind(pair);
  EXPECT_FALSE(pair.run({"teacher.check_sight=false", "verbalize.iterations=1"}).empty());
  fs::remove_all(pair.folder() / "run");
  write_text(pair.folder() / "text.jsonl",
             R"({"id": "a", "conversations": [{"from": "human", "value": "a?"}, {"from": "gpt", "value": "b"}]})");
  EXPECT_FALSE(pair.run({concat("data.train=[{path: ", (pair.folder() / "text.jsonl").string(), "}]")}).empty());
}

TEST(BlindTeacher, MakesNoCache) {
  const TinyPair pair;
  blind(pair);
  const auto config =
      load_run_config(pair.folder() / "run.yaml", {"verbalize.iterations=0", "interact.intermediate_loss=none"});
  expect_error([&] { make_teacher_cache(config, {pair.folder() / "cache"}); },
               {"caching the teacher: the teacher is blind"});
}

TEST(SeeingTeacher, ChangesNothingByBeingLookedAt) {
  const auto lines_with = [](const char* check) {
    const TinyPair pair;
    see_differently(pair, /*teacher_sees_more=*/true);
    auto lines = pair.run({concat("teacher.check_sight=", check)});
    for (auto& line : lines) line.erase("seconds");
    return lines;
  };
  EXPECT_EQ(lines_with("true"), lines_with("false"));
}

}  // namespace
}  // namespace vlsi
