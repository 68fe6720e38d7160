// The table of steps, and which of them a run takes.
#include "run/steps.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"

namespace vlsi {
namespace {

using Steps = std::vector<StepKind>;
constexpr auto kStudent = StepKind::kVerbalizeStudent, kTeacher = StepKind::kVerbalizeTeacher,
               kInteract = StepKind::kInteract, kFinetune = StepKind::kFinetune;

TEST(Steps, StandInTheTableInTheOrderOfTheirKinds) {
  Steps kinds;
  for (const auto& step : step_table()) kinds.push_back(step.kind);
  EXPECT_EQ(kinds, (Steps{kStudent, kTeacher, kInteract, kFinetune}));
}

TEST(Steps, TakeTheirOwnSettings) {
  RunConfig config;
  config.student.layers = {1}, config.teacher.layers = {2, 4};
  config.student.verbalizers = "s", config.teacher.verbalizers = "t";
  config.verbalize.epochs = 2, config.interact.iterations = 7;
  const auto student = settings_of(config, kStudent), teacher = settings_of(config, kTeacher),
             interact = settings_of(config, kInteract), finetune = settings_of(config, kFinetune);
  EXPECT_EQ(&student.data, &config.verbalize.student_data);
  EXPECT_EQ(&teacher.data, &config.verbalize.data);
  EXPECT_EQ(&interact.data, &config.interact.data);
  EXPECT_EQ(&finetune.optimizer, &config.finetune.optimizer);
  EXPECT_EQ(student.layers, config.student.layers);
  EXPECT_EQ(teacher.layers, config.teacher.layers);
  EXPECT_EQ(student.verbalizers, "s");
  EXPECT_EQ(teacher.verbalizers, "t");
  EXPECT_EQ(teacher.epochs, 2);
  EXPECT_EQ(interact.iterations, 7);
  EXPECT_TRUE(student.train.empty());
  EXPECT_EQ(&finetune.train, &config.finetune.train);
}

TEST(Steps, AreChosenByTheKeysOfTheirSettings) {
  EXPECT_EQ(choices_of_steps(), (std::vector<std::string>{"all", "verbalize", "interact", "finetune"}));
  EXPECT_EQ(steps_by_choice("all"), (Steps{kStudent, kTeacher, kInteract, kFinetune}));
  EXPECT_EQ(steps_by_choice("verbalize"), (Steps{kStudent, kTeacher}));
  EXPECT_EQ(steps_by_choice("interact"), Steps{kInteract});
}

TEST(Steps, OfARunAreThoseWithWork) {
  RunConfig config;
  EXPECT_EQ(planned_steps(config, steps_by_choice()), (Steps{kStudent, kTeacher, kInteract, kFinetune}));
  config.interact.iterations = 0;
  EXPECT_EQ(planned_steps(config, steps_by_choice()), (Steps{kStudent, kTeacher, kFinetune}));
  config.student.verbalizers = "given";
  EXPECT_EQ(planned_steps(config, steps_by_choice("verbalize")), Steps{kTeacher});
  config.verbalize.initial = true;
  EXPECT_EQ(planned_steps(config, steps_by_choice("verbalize")), (Steps{kStudent, kTeacher}));
  EXPECT_TRUE(planned_steps(config, steps_by_choice("interact")).empty());
}

TEST(Steps, OfCheckpointsAreFoundByTheirNames) {
  FoundCheckpoint found{{}, "run/checkpoints/x-1", nullptr};
  found.state.step = "verbalize-teacher";
  EXPECT_EQ(step_of(found), kTeacher);
  found.state.step = "ponder";
  EXPECT_ERROR(step_of(found),
               "run/checkpoints/x-1: its step is 'ponder', expected one of verbalize-student, "
               "verbalize-teacher, interact, finetune");
}

}  // namespace
}  // namespace vlsi
