// The steps of a run: their table, what each takes from the configuration, and which of them a run takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/table.h"
#include "run/config.h"
#include "train/run_directory.h"

namespace vlsi {

/// In the order in which a run takes them.
enum class StepKind { kVerbalizeStudent, kVerbalizeTeacher, kInteract, kFinetune };

/// What a step takes from the run's configuration, which outlives it.
struct StepSettings {
  int64_t iterations;  // 0: the run leaves the step out
  double epochs;       // above 0: in place of the iterations
  const OptimizerConfig& optimizer;
  const DataConfig& data;
  const std::vector<std::string>& train;     // parts of the student that learn
  const std::vector<int64_t>& layers;        // target layers of the model that learns
  const std::filesystem::path& verbalizers;  // of a verbalization: given ones, which stand for it
};

struct StepEntry {
  std::string_view name;  // in metrics.jsonl and of checkpoints
  StepKind kind;
  std::string_view key, data_key;       // of its settings in the configuration, and of its data among these
  std::string_view verbalizers_folder;  // of a verbalization: where in the run's folder it leaves its result
  StepSettings (*settings)(const RunConfig&);

  /// Whether its data inherit from the `data` beside them, which are another step's.
  bool has_own_data() const { return data_key != "data"; }
};

/// Every step, in order.
const Table<StepEntry>& step_table();
const StepEntry& entry_of(StepKind step);
inline std::string name_of(StepKind step) { return std::string(entry_of(step).name); }
inline StepSettings settings_of(const RunConfig& config, StepKind step) { return entry_of(step).settings(config); }
inline bool is_verbalization(StepKind step) { return !entry_of(step).verbalizers_folder.empty(); }

/// The step that wrote the checkpoint. Error when there is none of its name.
StepKind step_of(const FoundCheckpoint& found);

/// Whether `step` of a run of `config` runs the teacher: to verbalize it, or to read what it says, where that is not in
/// a cache.
bool runs_teacher(const RunConfig& config, StepKind step);

/// What --only may say: "all" and the keys of the steps' settings; and the steps that one of them stands for.
std::vector<std::string> choices_of_steps();
std::vector<StepKind> steps_by_choice(const std::string& choice = "all");

/// Those of `among` that a run of `config` takes, in order. With verbalizers that are given, or a teacher cache that is
/// there, their verbalization is left out.
std::vector<StepKind> planned_steps(const RunConfig& config, const std::vector<StepKind>& among);

}  // namespace vlsi
