// A study as a whole: what is done is kept, what is left is run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "study/schedule.h"
#include "study/stages.h"

namespace vlsi {

struct StudyEnd {
  std::vector<TaskState> states;      // of the stages
  std::vector<std::string> failures;  // "vlsi, seed 3: failed; ... log", and what could not be made for it
  bool is_interrupted = false;
};

/// Runs the stages that are not done, as children that run `program`, and links each in the folder of its seed by its
/// name. One process at a time works in a study's folder: Error where another does. The progress is logged.
StudyEnd run_study(const StudyConfig& study, const StudyStages& all, const std::filesystem::path& program);

/// What a run of the study would do: every stage with its state and its folder, how many are shared, how many are
/// done.
std::string describe_plan(const StudyConfig& study, const StudyStages& all);

struct StageTime {
  std::string experiment, command;
  double core_seconds = 0;
  bool is_done = false;
};

/// Seconds that are left, by the mean time of finished stages: of those alike but for their seed, else of the same
/// command, else of all. Nothing before the first has finished.
std::optional<double> seconds_left(const std::vector<StageTime>& stages, int64_t cores);

}  // namespace vlsi
