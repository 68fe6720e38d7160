#include "study/run_study.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>

#include "base/atomic_file.h"
#include "base/directory_lock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "study/stage_record.h"
#include "study/stage_runner.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

int64_t count(const std::vector<TaskState>& states, TaskState state) {
  return std::count(states.begin(), states.end(), state);
}

std::vector<Task> tasks_of(const StudyStages& all) {
  std::vector<Task> tasks;
  for (const auto& stage : all.stages) tasks.push_back({stage.inputs, stage.threads, is_done(stage)});
  return tasks;
}

/// A link to the stage's folder, for people.
void link(const fs::path& name, const Stage& stage) {
  std::error_code error;
  fs::remove(name, error);
  fs::create_directory_symlink(fs::relative(stage.folder, name.parent_path()), name, error);
  if (error) log_warning(concat("study: linking ", name.string(), ": ", error.message()));
}

/// seed-N/NAME in the folder of the results, by the names of stages and of variants.
void link_stages(const StudyConfig& study, const StudyStages& all) {
  for (const auto& result : all.results) {
    const auto folder = study.results / concat("seed-", result.seed);
    make_directories(folder);
    auto stages = all.with_inputs(result.stage);
    stages.insert(stages.end(), result.evaluations.begin(), result.evaluations.end());
    for (const size_t i : stages) link(folder / all.stages[i].name, all.stages[i]);
  }
  for (const auto& result : all.results) {
    link(study.results / concat("seed-", result.seed) / study.variants[result.variant].name, all.stages[result.stage]);
  }
}

/// The last line of a stage's log.
std::string last_words(const fs::path& log) {
  std::ifstream file(log);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

/// Logs what becomes of the stages.
class StudyProgress {
 public:
  StudyProgress(const StudyConfig& study, const StudyStages& all) : study_(study), all_(all) {
    for (const auto& stage : all.stages) states_.push_back(is_done(stage) ? TaskState::kDone : TaskState::kWaiting);
    log_info(concat("study: ", all.stages.size(), " stages, ", count(states_, TaskState::kDone), " of them done, on ",
                    study.cores, study.cores == 1 ? " core" : " cores"));
  }

  void update(const std::vector<TaskState>& states) {
    for (size_t i = 0; i < states.size(); ++i) {
      if (states[i] != states_[i]) tell(i, states[i]);
    }
    states_ = states;
  }

 private:
  void tell(size_t i, TaskState state) {
    const auto& stage = all_.stages[i];
    if (state == TaskState::kRunning) log_info(concat("study: ", describe(stage), " begins: ", stage.folder.string()));
    if (state == TaskState::kBlocked) log_warning(concat("study: ", describe(stage), " is left out: its input failed"));
    if (state == TaskState::kWaiting) log_info(concat("study: ", describe(stage), " is stopped"));
    if (state == TaskState::kFailed) {
      log_warning(concat("study: ", describe(stage), " failed: ", last_words(stage.folder / "log.txt")));
    }
    if (state != TaskState::kDone) return;
    states_[i] = state;
    log_info(concat("study: ", describe(stage), " is done; ", count(states_, TaskState::kDone), " of ", states_.size(),
                    " stages", left()));
  }

  std::string left() const {
    std::vector<StageTime> times;
    for (size_t i = 0; i < states_.size(); ++i) {
      const auto& stage = all_.stages[i];
      const auto record = states_[i] == TaskState::kDone ? read_stage_record(stage) : std::nullopt;
      times.push_back({stage.experiment, stage.command->name,
                       (record ? record->seconds : 0.0) * static_cast<double>(stage.threads), record.has_value()});
    }
    const auto seconds = seconds_left(times, study_.cores);
    return seconds && *seconds > 0 ? concat(", ", duration_text(*seconds), " left") : "";
  }

  const StudyConfig& study_;
  const StudyStages& all_;
  std::vector<TaskState> states_;
};

}  // namespace

std::optional<double> seconds_left(const std::vector<StageTime>& stages, int64_t cores) {
  std::map<std::string, std::pair<double, double>> sums;  // core seconds and count, by what the stages have in common
  for (const auto& stage : stages) {
    if (!stage.is_done) continue;
    for (const auto& key : {"=" + stage.experiment, stage.command, std::string()}) {
      sums[key].first += stage.core_seconds;
      sums[key].second += 1;
    }
  }
  if (sums.empty()) return std::nullopt;
  double left = 0;
  for (const auto& stage : stages) {
    if (stage.is_done) continue;
    for (const auto& key : {"=" + stage.experiment, stage.command, std::string()}) {
      const auto found = sums.find(key);
      if (found == sums.end()) continue;
      left += found->second.first / found->second.second;
      break;
    }
  }
  return left / static_cast<double>(cores);
}

StudyEnd run_study(const StudyConfig& study, const StudyStages& all, const fs::path& program) {
  make_directories(study.out);
  check_writable(study.out);
  const DirectoryLock lock(study.out, "running the study");
  const auto memory = study.memory_gib > 0 ? study.memory_gib * 0x1p30
                                           : static_cast<double>(available_memory().value_or(int64_t{1} << 62));
  StageRunner runner(all.stages, program);
  StudyProgress progress(study, all);
  link_stages(study, all);
  StudyEnd end;
  end.states = run_tasks(tasks_of(all), {study.cores, memory}, runner, interrupted,
                         [&](const std::vector<TaskState>& states) { progress.update(states); });
  end.is_interrupted = count(end.states, TaskState::kWaiting) > 0;
  for (size_t i = 0; i < all.stages.size(); ++i) {
    const auto& stage = all.stages[i];
    if (end.states[i] == TaskState::kFailed) {
      const auto log = stage.folder / "log.txt";
      end.failures.push_back(concat(describe(stage), ": failed: ", last_words(log), " (", log.string(), ")"));
    } else if (end.states[i] == TaskState::kBlocked) {
      end.failures.push_back(concat(describe(stage), ": left out, its input failed"));
    }
  }
  return end;
}

std::string describe_plan(const StudyConfig& study, const StudyStages& all) {
  std::vector<int64_t> uses(all.stages.size());
  for (const auto& result : all.results) {
    for (const size_t stage : all.with_inputs(result.stage)) ++uses[stage];
    for (const size_t stage : result.evaluations) ++uses[stage];
  }
  std::string text;
  int64_t num_shared = 0, num_done = 0;
  for (size_t i = 0; i < all.stages.size(); ++i) {
    const auto& stage = all.stages[i];
    const bool done = is_done(stage), begun = fs::exists(stage.folder);
    num_done += done;
    num_shared += uses[i] > 1;
    text += concat(done    ? "done     "
                   : begun ? "begun    "
                           : "to do    ",
                   stage.command->name, "  ", describe(stage), uses[i] > 1 ? concat(", for ", uses[i], " results") : "",
                   ": ", stage.folder.string(), "\n");
  }
  return text + concat(all.stages.size(), " stages for ", all.results.size(), " results of ", study.variants.size(),
                       " variants with ", study.seeds.size(),
                       study.seeds.size() == 1 ? " seed: " : " seeds: ", num_shared, " shared, ", num_done, " done\n");
}

}  // namespace vlsi
