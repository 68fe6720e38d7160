// The three steps, one after the other, against ten iterations each of the plain PyTorch reference
// (tests/oracle/vlsi_reference.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "family/family.h"
#include "method/step1_verbalize.h"
#include "method/step2_interact.h"
#include "method/step3_finetune.h"
#include "tests/method/method_fixture.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

using method_fixture::expected;
using method_fixture::kNoEndOfTurn;
using method_fixture::stored_speaker;
using method_fixture::train_and_compare;

StepOutput verbalize_now(const Speaker& speaker, const Batch& batch) {
  FrozenRows rows(speaker.model, speaker.verbalizers->request(/*final_rows=*/false));
  return verbalize(rows, *speaker.verbalizers, batch, kNoEndOfTurn);
}

void run_step1(const std::string& who, const Speaker& speaker, const std::string& pair) {
  train_and_compare(
      "verbalize", method_fixture::verbalizer_parameters(speaker, /*learn=*/true),
      expected(pair).at("float32").at("verbalize").at(who),
      [&](const Batch& batch) { return verbalize_now(speaker, who == "teacher" ? batch.for_teacher() : batch); }, pair);
  method_fixture::verbalizer_parameters(speaker, /*learn=*/false);
}

/// Stored pairs of one family or of two, as far as the table has them.
std::vector<std::string> pairs_of_families() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(method_fixture::kFolder.parent_path())) {
    const auto is_known = [&](const char* who) {
      const auto config = read_json(entry.path() / who / "config.json");
      return families().find(config.at("model_type").get<std::string>()) != nullptr;
    };
    if (is_known("student") && is_known("teacher")) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class StepsOf : public testing::TestWithParam<std::string> {};

TEST_P(StepsOf, ReproduceTheReferenceFromVerbalizationToFineTuning) {
  const auto& pair = GetParam();
  const Speaker student = stored_speaker("student", pair), teacher = stored_speaker("teacher", pair);
  {
    SCOPED_TRACE("step 1, student");
    run_step1("student", student, pair);
  }
  {
    SCOPED_TRACE("step 1, teacher");
    run_step1("teacher", teacher, pair);
  }
  if (HasFailure()) return;

  InteractionConfig config;
  config.matching.rule = ChosenRule("bottom_1");
  Random random(1);
  const Interaction interaction{*student.model,
                                student.verbalizers.get(),
                                live_teacher(teacher.model, teacher.verbalizers, student.model,
                                             expected(pair).at("shared_vocabulary").get<int64_t>()),
                                config,
                                random,
                                kNoEndOfTurn};
  train_and_compare(
      "interact", make_trainable(*student.model, {"decoder"}, "test"), expected(pair).at("float32").at("interact"),
      [&](const Batch& batch) { return interact(interaction, batch); }, pair);
  if (HasFailure()) return;

  train_and_compare(
      "finetune", make_trainable(*student.model, {"decoder", "embeddings", "head"}, "test"),
      expected(pair).at("float32").at("finetune"),
      [&](const Batch& batch) { return finetune(*student.model, batch, kNoEndOfTurn); }, pair);
}

TEST_P(StepsOf, MatchDifferentTeacherLayersInTheReferencesBatches) {
  // Otherwise the comparison above would say little about the matching.
  const auto& records = expected(GetParam()).at("float32").at("interact");
  EXPECT_NE(records[0].at("matches"), records[1].at("matches"));
}

INSTANTIATE_TEST_SUITE_P(EveryPair, StepsOf, testing::ValuesIn(pairs_of_families()),
                         [](const auto& pair) { return pair.param; });

void break_weight(const Vlm& model, const std::string& wanted) {
  for (auto& [name, parameter] : model.named_parameters()) {
    if (name == wanted) parameter.set_data(at::full_like(parameter, std::nan("")));
  }
}

TEST(Steps, NameTheLayerAndSampleThatAreNoNumbers) {
  const Speaker student = stored_speaker("student"), teacher = stored_speaker("teacher");
  const auto batch = method_fixture::load_batch(0);
  InteractionConfig config;
  Random random(1);
  const Interaction interaction{*student.model,
                                student.verbalizers.get(),
                                live_teacher(teacher.model, teacher.verbalizers, student.model, kAllIds),
                                config,
                                random,
                                kNoEndOfTurn};
  break_weight(*teacher.model, "decoder.norm.weight");
  auto text = message_of([&] { interact(interaction, batch); });
  EXPECT_NE(
      text.find("the teacher's last layer: the entropy is nan at answer token 1 of sample '" + batch.ids[0] + "'"),
      std::string::npos)
      << text;
  const int64_t layer = student.verbalizers->layers()[0];
  break_weight(*student.model, concat("decoder.layers.", layer - 1, ".mlp.down_proj.weight"));
  text = message_of([&] { interact(interaction, batch); });
  EXPECT_NE(text.find(concat("student layer ", layer, ": the sum of a row is nan")), std::string::npos) << text;
  text = message_of([&] { verbalize_now(student, batch); });
  EXPECT_NE(text.find(concat("verbalized layer ", layer, ": the loss is nan")), std::string::npos) << text;
  text = message_of([&] { finetune(*student.model, batch, kNoEndOfTurn); });
  EXPECT_NE(text.find("the student's last layer: the loss is nan"), std::string::npos) << text;
}

TEST(Steps, AreCheckedInFloat64BeforeTheyTrain) {
  const Speaker student = stored_speaker("student"), teacher = stored_speaker("teacher");
  const auto batch = method_fixture::load_batch(0);
  for (const auto& [speaker, whose] : {std::pair(&student, "student"), std::pair(&teacher, "teacher")}) {
    const auto check = [&] {
      check_objective(*speaker->model, speaker->verbalizers.get(), student.model->head(), whose, batch);
    };
    EXPECT_NO_THROW(check());
  }
  break_weight(*teacher.model, "decoder.norm.weight");
  const auto text = message_of(
      [&] { check_objective(*teacher.model, teacher.verbalizers.get(), student.model->head(), "teacher", batch); });
  EXPECT_NE(text.find("the teacher's last layer: the logsumexp is nan in float64"), std::string::npos) << text;
}

}  // namespace
}  // namespace vlsi
