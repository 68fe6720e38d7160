// A student of one family learns from a teacher of another: other template, pictures, positions and widths.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "checkpoint/load.h"
#include "objective/verbal_kl.h"
#include "run/make_cache.h"
#include "run/pair_processors.h"
#include "teacher/teacher.h"
#include "tests/seams/toy_family.h"
#include "tests/seams/toy_run.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// A tiny student of the first family and a toy teacher.
class ToyTeacher : public testing::Test {
 protected:
  static void SetUpTestSuite() { toy::add_family(); }

  void SetUp() override {
    const auto config = parse_model_config({{"model_type", "toy"},
                                            {"vocab_size", 330},
                                            {"hidden_size", 40},
                                            {"num_hidden_layers", 4},
                                            {"bos_token_id", 312},
                                            {"eos_token_id", 314},
                                            {"image_token_id", 318}},
                                           "teacher");
    fs::remove_all(folder() / "teacher");
    write_model(folder() / "teacher", config, random_weights(config, Initializer::kFanIn, 2, at::kFloat),
                VLSI_TEST_DATA "/tiny/tokenizer");
  }
  fs::path folder() const { return pair_.folder().path(); }

  /// A data file of text records with these answers, as a setting.
  std::string data_of(const std::vector<std::string>& answers) const {
    std::string text;
    for (const auto& answer : answers) {
      text += OrderedJson{{"id", answer},
                          {"conversations",
                           {{{"from", "human"}, {"value", "what?"}}, {{"from", "gpt"}, {"value", answer}}}}}
                  .dump() +
              "\n";
    }
    write_text(folder() / "answers.jsonl", text);
    return concat("data.train=[{path: ", (folder() / "answers.jsonl").string(), "}]");
  }

  toy_run::TinyPair pair_;
};

TEST_F(ToyTeacher, IsComparedWithTheStudentAnswerByAnswer) {
  const auto lines = pair_.run({"data.shuffle=false", "optimizer.accumulate=1", "interact.iterations=1",
                                "finetune.iterations=0", data_of({"yes", "a green triangle", "no"}),
                                "data.batch_tokens=100", "interact.intermediate_loss=none", "verbalize.iterations=0"});
  at::NoGradGuard no_grad;
  const RecordFile file(folder() / "answers.jsonl");
  std::vector<at::Tensor> student_rows, teacher_rows;
  int64_t own = 0, theirs = 0;
  const auto student = load_vlm(folder() / "student", at::kFloat), teacher = load_vlm(folder() / "teacher", at::kFloat);
  const auto of_student = load_processor(folder() / "student"), of_teacher = load_processor(folder() / "teacher");
  for (int64_t i = 0;; ++i) {
    const auto record = file.read(i % file.size());
    const auto a = of_student->encode(record), b = of_teacher->encode(record);
    own += std::ssize(a.tokens), theirs += std::ssize(b.tokens);
    if (std::max(own, theirs) > 100) break;
    student_rows.push_back(verbal_rows(*student, nullptr, pack({a})));
    teacher_rows.push_back(verbal_rows(*teacher, nullptr, pack({b})));
  }
  const auto expected =
      all_pairs_kl_plain(at::cat(student_rows, 1), student->head(), at::cat(teacher_rows, 1), teacher->head());
  ASSERT_EQ(lines.size(), 1U);
  // Float32 sums of 320 rows, of values near one.
  EXPECT_NEAR(lines[0].at("last_kl").get<double>(), expected.item<double>(), 1e-5);
}

TEST_F(ToyTeacher, GoesThroughTheThreeStepsWithPictures) {
  const auto lines = pair_.run({});
  EXPECT_EQ(lines.size(), 2U + 2 + 3 + 1);
  EXPECT_TRUE(fs::exists(folder() / "run/model/model.safetensors"));
}

TEST_F(ToyTeacher, WithoutHeadsAndByLogitsLearnsToo) {
  EXPECT_FALSE(pair_
                   .run({"verbalize.iterations=0", "interact.head=false", "interact.intermediate_loss=l2",
                         "interact.last_loss=l2"})
                   .empty());
}

TEST_F(ToyTeacher, SkipsAndCountsRecordsThatItTokenizesOtherwise) {
  // To the student special text is text; the toy processor always takes it for a special token.
  const std::vector<std::string> settings{data_of({"yes", "a <|vision_start|>", "no"}), "data.special_tokens=text",
                                          "verbalize.iterations=0", "interact.intermediate_loss=none"};
  expect_error([&] { pair_.run(settings); },
               {"answers.jsonl, record 2 (line 2): the answers are ", " tokens to the student and ", " to the teacher",
                "'<|vision_start|>' (315)"});
  fs::remove_all(folder() / "run");
  auto skipping = settings;
  skipping.push_back("data.on_error=skip");
  EXPECT_FALSE(pair_.run(skipping).empty());

  // The cache lacks the record, and so does the run that reads the cache.
  auto config = load_run_config(folder() / "run.yaml", skipping);
  ASSERT_EQ(make_teacher_cache(config, {folder() / "cache"}), Outcome::kFinished);
  fs::remove_all(folder() / "run");
  skipping.push_back(concat("teacher.cache=", (folder() / "cache").string()));
  EXPECT_FALSE(pair_.run(skipping).empty());
  fs::remove_all(folder() / "run");
  skipping.push_back("data.on_error=stop");
  expect_error([&] { pair_.run(skipping); },
               {"record 2 (line 2): teacher cache", "has no sample 'a <|vision_start|>'"});
}

TEST_F(ToyTeacher, IsRefusedWithAnotherEndOfTurn) {
  auto json = read_json(folder() / "teacher/config.json");
  json["eos_token_id"] = 312;
  write_text(folder() / "teacher/config.json", json.dump());
  expect_error([&] { pair_.run({}); }, {"a turn ends with 314 and 312"});
}

}  // namespace
}  // namespace vlsi
