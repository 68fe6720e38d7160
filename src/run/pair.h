// The two models of a run, and whether they fit together.
#pragma once

#include <string>
#include <vector>

#include "model/config.h"
#include "ranks/ranks.h"
#include "run/pair_processors.h"
#include "run/speaker.h"
#include "run/steps.h"

namespace vlsi {

/// Error when the last of `layers`, the key `key`'s, is above what the model has.
void check_layers(const std::vector<int64_t>& layers, const ModelConfig& model, const char* key,
                  const std::string& place);

/// Error naming `place` when interact.train changes the student's head, but logits are compared, or the teacher is read
/// from a cache, which holds averages of the head's rows.
void check_head_stays(const InteractConfig& config, const ModelConfig& student, const std::string& place,
                      bool cached_teacher);

/// The models of a run that trains, one rank's; the configuration and the ranks outlive them.
class Pair {
 public:
  /// Loads the student as the run starts it, and the processors: the teacher's where a step runs it.
  Pair(const RunConfig& config, const Ranks& ranks, bool with_teacher);

  const PairProcessors& processors() const { return processors_; }
  Speaker& student() { return student_; }
  /// Loaded when it is first asked for.
  Speaker& teacher();
  /// The model that the verbalization `step` is about.
  Speaker& verbalized_by(StepKind step) { return step == StepKind::kVerbalizeTeacher ? teacher() : student_; }

  /// Gives up both models' verbalizers; and the teacher.
  void drop_verbalizers() { student_.verbalizers = teacher_.verbalizers = nullptr; }
  void drop_teacher() { teacher_ = {}; }
  /// Forgets what the student's tower made of pictures: it has learnt since.
  void forget_pictures();

 private:
  const RunConfig& config_;
  const Ranks& ranks_;
  const PairProcessors processors_;
  Speaker student_, teacher_;
};

}  // namespace vlsi
