// The three steps, one after the other, against ten iterations each of the plain PyTorch reference
// (tests/oracle/vlsi_reference.py).
#include <gtest/gtest.h>

#include "method/step1_verbalize.h"
#include "method/step2_interact.h"
#include "method/step3_finetune.h"
#include "tests/method/method_fixture.h"

namespace vlsi {
namespace {

using method_fixture::expected;
using method_fixture::kNoEndOfTurn;
using method_fixture::Speaker;
using method_fixture::train_and_compare;

void run_step1(const std::string& who, const Speaker& speaker) {
  train_and_compare(
      "verbalize", speaker.verbalizer_parameters(/*learn=*/true), expected().at("float32").at("verbalize").at(who),
      [&](const Batch& batch) { return verbalize(*speaker.model, *speaker.verbalizers, batch, kNoEndOfTurn); });
  speaker.verbalizer_parameters(/*learn=*/false);
}

TEST(Steps, ReproduceTheReferenceFromVerbalizationToFineTuning) {
  const Speaker student("student"), teacher("teacher");
  {
    SCOPED_TRACE("step 1, student");
    run_step1("student", student);
  }
  {
    SCOPED_TRACE("step 1, teacher");
    run_step1("teacher", teacher);
  }
  if (HasFailure()) return;

  InteractConfig config;
  config.matching.value.rule = MatchingRule::kBottom1;
  Random random(1);
  const Interaction interaction{*student.model,
                                student.verbalizers.get(),
                                live_teacher(teacher.model, teacher.verbalizers, student.model),
                                config,
                                random,
                                kNoEndOfTurn};
  train_and_compare("interact", make_trainable(*student.model, {"decoder"}, "test"),
                    expected().at("float32").at("interact"),
                    [&](const Batch& batch) { return interact(interaction, batch); });
  if (HasFailure()) return;

  train_and_compare("finetune", make_trainable(*student.model, {"decoder", "embeddings", "head"}, "test"),
                    expected().at("float32").at("finetune"),
                    [&](const Batch& batch) { return finetune(*student.model, batch, kNoEndOfTurn); });
}

TEST(Steps, ReferenceMatchesDifferentTeacherLayersInItsBatches) {
  // Otherwise the comparison above would say little about the matching.
  const auto& records = expected().at("float32").at("interact");
  EXPECT_NE(records[0].at("matches"), records[1].at("matches"));
}

}  // namespace
}  // namespace vlsi
