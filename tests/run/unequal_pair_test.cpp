// Runs whose teacher sees otherwise than the student: other limits of pictures, another mean, other tokens.
#include "tests/run/unequal_pair.h"
#include "model/parts.h"
#include "plan/plan.h"
#include "run/make_cache.h"
#include "run/pair_processors.h"
#include "tests/support/errors.h"
#include "tests/support/initialize_vlm.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
using toy_run::TinyPair;
using unequal_pair::see_differently;

TEST(UnequalPair, ComparesWhatEachModelSaysOfItsOwnSamples) {
  for (const bool teacher_sees_more : {true, false}) {
    const TinyPair pair;
    see_differently(pair, teacher_sees_more);
    unequal_pair::expect_own_samples(pair, /*teacher_reads_the_students=*/true);
  }
}

TEST(UnequalPair, HasTemplatesOfItsOwn) {
  const TinyPair pair;
  write_text(pair.folder() / "teacher/chat_template.jinja",
             "<|im_start|>system\nBe brief, but say all that is asked for, and no more than that.<|im_end|>\n"
             "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
             "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
             "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
             "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
  const auto length_of = [&](const char* who) {
    const auto processor = load_processor(pair.folder() / who);
    return std::ssize(processor->encode(RecordFile(TinyPair::train_data()).read(0)).tokens);
  };
  ASSERT_GT(length_of("teacher"), length_of("student"));
  unequal_pair::expect_own_samples(pair, /*teacher_reads_the_students=*/true, /*batch_tokens=*/500);
}

/// Puts a model of another family in the teacher's place: the stored configuration with the ids of the tiny tokenizer.
void take_teacher_of(const TinyPair& pair, const std::string& family) {
  auto json = read_json(concat(VLSI_TEST_DATA "/method/", family, "/teacher/config.json"));
  auto& text = json.contains("text_config") ? json["text_config"] : json;
  text["vocab_size"] = 340;
  for (auto* part : {&json, &text}) {
    for (const auto& [key, id] :
         {std::pair("bos_token_id", 312), std::pair("eos_token_id", 314), std::pair("vision_start_token_id", 315),
          std::pair("vision_end_token_id", 316), std::pair("vision_token_id", 317), std::pair("image_token_id", 318),
          std::pair("video_token_id", 319)}) {
      if (part->contains(key)) (*part)[key] = id;
    }
  }
  fs::remove_all(pair.folder() / "teacher");
  save_vlm(pair.folder() / "teacher",
           *initialize_vlm(parse_model_config(json, family), Initializer::kFanIn, /*seed=*/4), at::kFloat,
           VLSI_TEST_DATA "/tiny/tokenizer");
  const auto path = pair.folder() / "teacher/preprocessor_config.json";
  auto pictures = read_json(path);
  pictures["patch_size"] = 4;
  write_text(path, pictures.dump());
}

class PairOfFamilies : public testing::TestWithParam<const char*> {};

TEST_P(PairOfFamilies, ComparesWhatEachModelSaysOfItsOwnSamples) {
  const TinyPair pair;
  take_teacher_of(pair, GetParam());
  unequal_pair::expect_own_samples(pair, /*teacher_reads_the_students=*/false);
}

TEST_P(PairOfFamilies, GoesThroughTheThreeStepsWithAnyTeacher) {
  for (const char* residency : {"resident", "streamed"}) {
    const TinyPair pair;
    take_teacher_of(pair, GetParam());
    EXPECT_EQ(pair.run({concat("teacher.residency=", residency)}).size(), 8U);
    EXPECT_TRUE(fs::exists(pair.folder() / "run/model/model.safetensors"));
  }
}

INSTANTIATE_TEST_SUITE_P(Teachers, PairOfFamilies, testing::Values("qwen2_5_vl", "qwen3_vl"),
                         [](const auto& family) { return std::string(family.param); });

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
