// The verbalizers that a run's steps work with: new ones, given ones, or those that its own first step trained.
#pragma once

#include <filesystem>

#include "run/speaker.h"
#include "run/steps.h"

namespace vlsi {

/// Error naming the key when given verbalizers have another architecture or other options than `verbalize` says.
void check_given_verbalizers(const RunConfig& config);

/// Where those are that the verbalization `step` trains: in config.out, or the given ones where that is not there.
std::filesystem::path verbalizers_path(const RunConfig& config, StepKind step);
/// The same; Error when nothing is there.
std::filesystem::path find_verbalizers(const RunConfig& config, StepKind step);

/// Gives the speaker the verbalizers that the verbalization `step` trains: the given ones, or new ones of the run's
/// seed.
void take_verbalizers_to_train(const RunConfig& config, StepKind step, Speaker& speaker);

/// Gives both speakers the verbalizers that the interaction reads: those that step 1 left in config.out, else the given
/// ones; without heads new ones of the run's seed (a teacher's may be given). Neither gets any where no target layer's
/// loss reads them, and the teacher none where no loss compares the two models. `teacher` is null for one that does not
/// run. Error when there are none. Returns what learns with the student, as "verbalizers.<name>": its own, without
/// heads.
NamedTensors take_interaction_verbalizers(const RunConfig& config, Speaker& student, Speaker* teacher);

}  // namespace vlsi
