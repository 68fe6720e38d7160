#include "train/run_directory.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "base/problems.h"
#include "base/settings.h"
#include "base/settings_difference.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
constexpr const char* kState = "state.json";
constexpr const char* kTensors = "tensors.safetensors";
constexpr int64_t kFormat = 2;
// No run counts as far, and sums and products of such numbers are whole.
constexpr int64_t kMostCounted = int64_t{1} << 48, kMostRanks = int64_t{1} << 16;

CheckpointState read_state(const fs::path& path) {
  const auto json = read_json(path);
  const std::string place = path.string();
  check_format(json, kFormat, place, "finish the run with that version, or start it anew");
  CheckpointState state;
  state.step = require<std::string>(json, "step", place);
  state.iteration = require<int64_t>(json, "iteration", place);
  state.sequence = require<int64_t>(json, "sequence", place);
  state.cursor = {require<int64_t>(json, "epoch", place), require<int64_t>(json, "index", place)};
  for (const auto& file : find<std::vector<Json>>(json, "data", place).value_or(std::vector<Json>())) {
    state.data.push_back({require<std::string>(file, "name", place + ": data"),
                          require<int64_t>(file, "bytes", place + ": data"),
                          require<std::string>(file, "checksum", place + ": data")});
  }
  state.random = require<std::string>(json, "random", place);
  state.memory = json.value("memory", Json());
  state.ranks = require<int64_t>(json, "ranks", place);
  state.metrics_bytes = require<int64_t>(json, "metrics_bytes", place);
  for (const auto& [key, count] : {std::pair("iteration", state.iteration), std::pair("sequence", state.sequence),
                                   std::pair("epoch", state.cursor.epoch), std::pair("index", state.cursor.index),
                                   std::pair("metrics_bytes", state.metrics_bytes)}) {
    expect_value(count >= 0, "reading " + place, key, count, "0 or more");
    expect_value(count <= kMostCounted, "reading " + place, key, count, concat("at most ", kMostCounted));
  }
  expect_value(state.ranks >= 1 && state.ranks <= kMostRanks, "reading " + place, "ranks", state.ranks,
               concat("1 to ", kMostRanks));
  return state;
}

/// The states of all checkpoints, the newest first.
std::vector<std::pair<CheckpointState, fs::path>> find_checkpoints(const fs::path& directory) {
  std::vector<std::pair<CheckpointState, fs::path>> found;
  if (!fs::is_directory(directory)) return found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (fs::exists(entry.path() / kState) && !is_temporary(entry.path())) {
      found.emplace_back(read_state(entry.path() / kState), entry.path());
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first.sequence > b.first.sequence; });
  return found;
}

/// Error naming the keys in which the run's configuration differs from this one.
void refuse_other_config(const fs::path& path, const std::string& config, const std::vector<std::string>& free_keys) {
  const auto difference = settings_difference(load_yaml(path, {}), parse_yaml(config, "the configuration"), free_keys);
  if (difference.empty()) return;
  fail("resuming the run in ", path.parent_path().string(),
       ": the configuration differs from the one that it was started with, ", path.string(), ": ", difference);
}

void add_missing(const FoundCheckpoint& found, const std::vector<TensorSource>& expected, Problems& problems) {
  for (const auto& source : expected) {
    const auto entry = found.tensors->tensors().find(source.name);
    if (entry == found.tensors->tensors().end()) {
      problems.add("missing ", source.name);
    } else if (entry->second.shape != source.shape) {
      problems.add(source.name, " is ", at::IntArrayRef(entry->second.shape), ", expected ",
                   at::IntArrayRef(source.shape));
    }
  }
}

void fail_if_any(const FoundCheckpoint& found, const Problems& problems) {
  problems.fail_if_any("resuming from ", found.path.string(),
                       ": it is not of this run's configuration: ", problems.count(), " problem(s): ");
}

FoundCheckpoint open_checkpoint(const CheckpointState& state, const fs::path& path) {
  return {state, path, SafetensorsFile::open(path / kTensors)};
}

}  // namespace

void FoundCheckpoint::check_has(const std::vector<TensorSource>& expected) const {
  Problems problems;
  add_missing(*this, expected, problems);
  fail_if_any(*this, problems);
}

void FoundCheckpoint::check_is(const std::vector<TensorSource>& expected) const {
  Problems problems;
  add_missing(*this, expected, problems);
  std::set<std::string> known;
  for (const auto& source : expected) known.insert(source.name);
  for (const auto& item : tensors->tensors()) {
    if (!known.contains(item.first)) problems.add("unexpected ", item.first);
  }
  fail_if_any(*this, problems);
}

void FoundCheckpoint::check_data(const std::vector<FileFingerprint>& files) const {
  if (state.data.empty()) return;
  const auto refuse = [&](const std::string& what) {
    fail("resuming from ", path.string(), ": ", what,
         ", so the order of its records is another; put the old data back, or go on with --data-may-differ");
  };
  if (files.size() != state.data.size())
    refuse(concat("the step has ", files.size(), " data files, it had ", state.data.size()));
  for (size_t i = 0; i < files.size(); ++i) {
    const auto &now = files[i], &then = state.data[i];
    if (now.bytes == then.bytes && now.checksum == then.checksum) continue;
    refuse(concat("the data file ", now.name, " has changed since (", now.bytes, " bytes, checksum ", now.checksum,
                  "; then ", then.name, ", ", then.bytes, " bytes, ", then.checksum, ")"));
  }
}

at::Tensor FoundCheckpoint::tensor(const std::string& name, const at::Tensor& like) const {
  return tensors->tensor(name).to(like.options(), /*non_blocking=*/false, /*copy=*/true);
}

std::optional<FoundCheckpoint> newest_checkpoint(const fs::path& path) {
  const auto checkpoints = find_checkpoints(path / kCheckpointsFolder);
  if (checkpoints.empty()) return std::nullopt;
  const auto& [state, where] = checkpoints.front();
  return open_checkpoint(state, where);
}

std::string newest_checkpoint_name(const fs::path& path) {
  const auto checkpoints = find_checkpoints(path / kCheckpointsFolder);
  return checkpoints.empty() ? "" : checkpoints.front().second.filename().string();
}

RunDirectory::RunDirectory(fs::path path, const std::string& config, bool resume, const Ranks& ranks,
                           const std::vector<std::string>& free_keys)
    : ranks_(ranks), path_(std::move(path)) {
  if (ranks.is_first()) open(config, resume, free_keys);
  if (ranks.size() > 1) follow_first(config);
}

void RunDirectory::open(const std::string& config, bool resume, const std::vector<std::string>& free_keys) {
  make_directories(path_);
  check_writable(path_);
  if (fs::exists(path_ / kCheckpointsFolder)) check_writable(path_ / kCheckpointsFolder);
  lock_ = std::make_unique<DirectoryLock>(path_, "starting a run");
  remove_leftovers(path_);
  remove_leftovers(path_ / kCheckpointsFolder);
  const auto config_path = path_ / kRunConfigFile;
  const auto metrics_path = path_ / kRunMetricsFile;
  const bool has_checkpoint = !find_checkpoints(path_ / kCheckpointsFolder).empty();
  // A start that failed before its first iteration (a wrong path, say) does not bind the next one to its configuration.
  const bool never_began = fs::exists(metrics_path) && fs::file_size(metrics_path) == 0 && !has_checkpoint;
  if (fs::exists(config_path) && !never_began) {
    if (!resume)
      fail("starting a run in ", path_.string(),
           ": a run is there already; continue it with --resume, or choose another `out`");
    refuse_other_config(config_path, config, free_keys);
    checkpoint_ = newest_checkpoint(path_);
  } else if (has_checkpoint) {
    fail("starting a run in ", path_.string(), ": there are checkpoints, but no ", kRunConfigFile,
         " of the run that wrote them; expected both or neither");
  } else {
    write_file(config_path, config);
  }
  metrics_ = std::make_unique<MetricsFile>(metrics_path, checkpoint_ ? checkpoint_->state.metrics_bytes : 0);
}

void RunDirectory::follow_first(const std::string& config) {
  const auto found =
      ranks_.all_gather(ranks_.is_first() && checkpoint_ ? checkpoint_->path.filename().string() : std::string())[0];
  const auto first_config = ranks_.all_gather(config)[0];
  if (config != first_config)
    fail("starting a run in ", path_.string(), ": this rank's configuration differs from rank 0's");
  if (ranks_.is_first() || found.empty()) return;
  const auto path = path_ / kCheckpointsFolder / found;
  checkpoint_ = open_checkpoint(read_state(path / kState), path);
}

void RunDirectory::add_event_files() {
  if (ranks_.is_first()) events_ = std::make_unique<EventFiles>(path_ / "tensorboard");
}

void RunDirectory::append_metrics(const OrderedJson& line) {
  if (metrics_) metrics_->append(line);
  if (events_) events_->append(line);
}

bool RunDirectory::has_metrics_of(const std::string& step) const {
  const auto begin = concat(R"({"step":")", step, '"');  // of each of its lines
  std::ifstream file(path_ / kRunMetricsFile);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(begin)) return true;
  }
  return false;
}

void RunDirectory::write_checkpoint(const CheckpointState& state, std::vector<TensorSource> tensors, int64_t keep) {
  if (!ranks_.is_first()) {
    sort_as_written(tensors);
    for (const auto& source : tensors) source.make();
    return ranks_.wait_for_all();
  }
  metrics_->sync();
  const auto directory = path_ / kCheckpointsFolder;
  OrderedJson data = OrderedJson::array();
  for (const auto& file : state.data)
    data.push_back({{"name", file.name}, {"bytes", file.bytes}, {"checksum", file.checksum}});
  const auto path = directory / concat(state.step, '-', state.iteration);
  int64_t sequence = state.sequence;  // which others may have passed: with --data-may-differ epochs can get shorter
  for (const auto& [other, other_path] : find_checkpoints(directory)) {
    if (other_path != path) sequence = std::max(sequence, other.sequence + 1);
  }
  AtomicDirectory out(path);
  stream_safetensors(out.path() / kTensors, std::move(tensors));
  OrderedJson json{{"format", kFormat},
                   {"step", state.step},
                   {"iteration", state.iteration},
                   {"sequence", sequence},
                   {"epoch", state.cursor.epoch},
                   {"index", state.cursor.index},
                   {"data", data},
                   {"random", state.random},
                   {"ranks", ranks_at_start()},
                   {"metrics_bytes", metrics_->size_bytes()}};
  if (!state.memory.is_null()) json["memory"] = state.memory;
  write_json(out.path() / kState, json);
  out.commit();
  const auto checkpoints = find_checkpoints(directory);
  for (size_t i = static_cast<size_t>(keep); i < checkpoints.size(); ++i) remove_directory(checkpoints[i].second);
  ranks_.wait_for_all();
}

}  // namespace vlsi
