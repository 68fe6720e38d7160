// What each model of a run is shown of a record, and how far their vocabularies are one.
#pragma once

#include <cstdint>
#include <memory>

#include "data/processor.h"
#include "data/sample_pair.h"
#include "run/steps.h"

namespace vlsi {

/// The number of leading ids that both tokenizers give the same text; kAllIds where no id differs.
int64_t count_shared_ids(const Tokenizer& student, const Tokenizer& teacher);

/// The same. Error naming the first ids that differ unless it covers all that an ordinary answer consists of: every
/// piece of ordinary text of both tokenizers, and an end of turn that is the same id.
int64_t check_shared_ids(const Processor& student, const Processor& teacher);

/// The processors of a run's models.
struct PairProcessors {
  std::shared_ptr<const Processor> student;
  /// The student's, where the two have equal fingerprints; null for a run that shows its teacher nothing.
  std::shared_ptr<const Processor> teacher = nullptr;
  int64_t shared_ids = kAllIds;  // check_shared_ids

  /// Of the model that `step` trains, or whose verbalizers it does. Of the teacher, where there is none, the student's.
  const Processor& of(StepKind step) const;
  /// What makes samples for both models at once.
  SampleMaker both() const;
  /// What makes the samples of `step`: of both models where it compares them and they see differently.
  SampleMaker maker(const RunConfig& config, StepKind step) const;
};

/// teacher.model, for a step that runs the teacher. Error where it is missing, as a run may have it whose cache is
/// there.
const std::filesystem::path& teacher_directory(const RunConfig& config);

/// Of the models of `config`, the teacher's only where it is wanted. Errors are teacher_directory's, load_processor's
/// and check_shared_ids'.
PairProcessors load_processors(const RunConfig& config, bool with_teacher);

}  // namespace vlsi
