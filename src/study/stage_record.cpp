#include "study/stage_record.h"

#include <algorithm>
#include <fstream>

#include "base/json.h"
#include "report/run_metrics.h"
#include "run/version.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

constexpr const char* kStageFile = "stage.json";
constexpr int64_t kStageFormat = 1;

/// The processor's name, as the kernel has it.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != line.npos) return line.substr(colon + 2);
  }
  return "";
}

}  // namespace

std::optional<StageRecord> read_stage_record(const Stage& stage) {
  const auto path = stage.folder / kStageFile;
  if (!std::filesystem::exists(path)) return std::nullopt;
  const auto json = read_json(path);
  const auto place = path.string();
  check_format(json, kStageFormat, place, "remove the stage's folder, and it is made anew");
  const auto found = require<std::string>(json, "fingerprint", place);
  if (found != stage.fingerprint) {
    fail(place, ": is of another stage, whose fingerprint is ", found, ", expected ", stage.fingerprint,
         "; choose another `out`");
  }
  return StageRecord{require<bool>(json, "done", place), require<double>(json, "seconds", place),
                     require<int64_t>(json, "peak_memory_bytes", place),
                     require<std::string>(json, "processor", place)};
}

void write_stage_record(const Stage& stage, const ChildEnd& end) {
  const auto before = read_stage_record(stage).value_or(StageRecord());
  write_json(stage.folder / kStageFile,
             {{"format", kStageFormat},
              {"done", end.status == 0},
              {"stage", stage.name},
              {"command", stage.command->name},
              {"seed", stage.seed},
              {"fingerprint", stage.fingerprint},
              {"experiment", stage.experiment},
              {"threads", stage.threads},
              {"seconds", before.seconds + end.seconds},
              {"peak_memory_bytes", std::max(before.peak_memory_bytes, end.peak_memory_bytes)},
              {"processor", processor_name()},
              {"program", version_json()}});
}

bool is_done(const Stage& stage) {
  const auto record = read_stage_record(stage);
  return record && record->is_done;
}

double seconds_of(const Stage& stage, const StageRecord& record) {
  if (!stage.command->takes_run || stage.command->makes_cache) return record.seconds;
  RunMetrics metrics(stage.folder / kRunMetricsFile);
  metrics.refresh();
  double seconds = 0;
  for (const auto& step : metrics.steps_json({})) seconds += step["seconds"].get<double>();
  return seconds;
}

}  // namespace vlsi
