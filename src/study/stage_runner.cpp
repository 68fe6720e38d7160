#include "study/stage_runner.h"

#include <chrono>
#include <thread>

#include "base/atomic_file.h"
#include "base/directory_lock.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "plan/plan.h"
#include "study/stage_record.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
constexpr auto kLook = std::chrono::milliseconds(20);
constexpr int kLooksAWait = 10;

/// Of the weights that the stage reads: those in the folders that its arguments name.
double bytes_of_weights(const Stage& stage) {
  double bytes = 0;
  for (const auto& argument : stage.arguments) {
    const fs::path folder = argument.substr(argument.find('=') + 1);
    if (!argument.starts_with("--model=") || !fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".safetensors") bytes += static_cast<double>(entry.file_size());
    }
  }
  return bytes;
}

/// Waits for a run there whose study was killed: it was asked to stop.
void wait_for_lock(const fs::path& folder) {
  for (bool is_told = false; !DirectoryLock::try_to_lock(folder, "starting a stage"); is_told = true) {
    if (!is_told) log_info(concat("waiting for the run in ", folder.string(), ", which was asked to stop"));
    if (interrupted()) return;
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace

std::vector<std::string> arguments_of(const Stage& stage, bool resume) {
  std::vector<std::string> all{stage.command->name};
  if (!stage.command->takes_run) {
    all.insert(all.end(), stage.arguments.begin(), stage.arguments.end());
    all.push_back("--out=" + (stage.command->fills_folder ? stage.folder : stage.result()).string());
    if (stage.command->takes_threads) all.push_back(concat("--threads=", stage.threads));
    return all;
  }
  all.push_back((stage.folder / "run.yaml").string());
  if (resume && !stage.command->makes_cache) all.push_back("--resume");
  return all;
}

double StageRunner::memory_bytes(size_t task) {
  const auto& stage = stages_[task];
  if (stage.memory_bytes > 0) return stage.memory_bytes;
  if (!stage.command->takes_run) return 2 * bytes_of_weights(stage) + 0x1p29;
  auto config = read_settings<RunConfig>(parse_yaml(stage.run, stage.folder.string()), stage.folder.string());
  if (!config.device.value.is_cpu()) return 0;
  if (stage.command->makes_cache) {
    config.teacher.cache.clear();  // the plan of the step that runs the teacher
    config.interact.iterations = std::max<int64_t>(1, config.interact.iterations);
  }
  try {
    return make_plan(config, {.measures = false}).peak_bytes();
  } catch (const Error&) {
    return 0;  // what is wrong, the run itself says in its log
  }
}

void StageRunner::start(size_t task) {
  const auto& stage = stages_[task];
  const bool is_run = stage.command->takes_run;
  make_directories(stage.folder);
  wait_for_lock(stage.folder);
  if (is_run) {
    write_file(stage.folder / "run.yaml", stage.run);
  } else if (stage.command->starts_anew) {
    fs::remove_all(stage.result());
  }
  const auto threads = std::to_string(stage.threads);
  running_.try_emplace(task, ChildCommand{program_,
                                          arguments_of(stage, fs::exists(stage.folder / kRunConfigFile)),
                                          {{"OMP_NUM_THREADS", threads}},
                                          stage.folder / "log.txt"});
}

std::vector<TaskRunner::End> StageRunner::wait() {
  std::vector<End> ends;
  for (int look = 0; look < kLooksAWait && ends.empty(); ++look) {
    if (look > 0) std::this_thread::sleep_for(kLook);
    for (auto child = running_.begin(); child != running_.end();) {
      const auto end = child->second.poll();
      if (!end) {
        ++child;
        continue;
      }
      write_stage_record(stages_[child->first], *end);
      ends.push_back({child->first, end->status == 0});
      child = running_.erase(child);
    }
  }
  return ends;
}

void StageRunner::stop() {
  for (auto& [task, child] : running_) child.stop();
}

}  // namespace vlsi
