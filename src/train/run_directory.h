// A run's folder: its resolved configuration, its metrics, its checkpoints, and the lock that keeps a second run out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/directory_lock.h"
#include "base/safetensors.h"
#include "base/safetensors_writer.h"
#include "data/loader.h"
#include "ranks/ranks.h"
#include "train/event_files.h"
#include "train/metrics.h"

namespace vlsi {

/// What a run's folder has: its resolved configuration, its metrics, its checkpoints, and what it took.
inline constexpr const char *kRunConfigFile = "config.yaml", *kRunMetricsFile = "metrics.jsonl",
                            *kCheckpointsFolder = "checkpoints", *kRunSummaryFile = "summary.json";

/// Where training stood when a checkpoint was written.
struct CheckpointState {
  std::string step;       // its name
  int64_t iteration = 0;  // finished iterations of that step
  int64_t sequence = 0;   // finished iterations of the whole run; the newest checkpoint has the largest
  Cursor cursor;          // the next record of the step's data
  std::string random;     // the step's generator; empty without one
  int64_t ranks = 1;      // that the run began with: an update is of so many times `optimizer.accumulate` micro-batches
  int64_t metrics_bytes = 0;               // length of metrics.jsonl
  std::vector<FileFingerprint> data = {};  // of the files whose records the cursor counts; empty: not known
  Json memory = nullptr;                   // the step's Rewriting's; null: none
};

struct FoundCheckpoint {
  CheckpointState state;
  std::filesystem::path path;
  std::shared_ptr<const SafetensorsFile> tensors;

  /// Error that lists every tensor of `expected` which the checkpoint lacks or has in another shape.
  void check_has(const std::vector<TensorSource>& expected) const;
  /// The same, and every tensor of the checkpoint that is not among them.
  void check_is(const std::vector<TensorSource>& expected) const;
  /// Error naming the first of the step's data files that is not as it was when the checkpoint was written.
  void check_data(const std::vector<FileFingerprint>& files) const;
  /// A copy of the tensor `name`, which is there, in the type and on the device of `like`, whose shape it has.
  at::Tensor tensor(const std::string& name, const at::Tensor& like) const;
};

/// The newest checkpoint of the run in `path`, which may be going on; none when it has none.
std::optional<FoundCheckpoint> newest_checkpoint(const std::filesystem::path& path);

/// Its folder's name, of which nothing but the checkpoints' states is read; empty when the run has none.
std::string newest_checkpoint_name(const std::filesystem::path& path);

class RunDirectory {
 public:
  /// Opens `path` for a run whose resolved configuration is `config` (YAML text). A new run needs a folder without one
  /// in it; `resume` continues the run there, from its newest checkpoint. Error when another process runs there, when a
  /// run is there and `resume` is false, when the configuration differs from the one that the run was started with in
  /// other keys than `free_keys` (naming them), or when there are checkpoints without a configuration. Nothing of an
  /// earlier run is changed before the first line of metrics is appended.
  ///
  /// The first of `ranks`, which outlive it, opens it and is the one that writes; the others, which see the same
  /// folder, read what it found. Error when a rank has another configuration.
  RunDirectory(std::filesystem::path path, const std::string& config, bool resume, const Ranks& ranks = one_rank(),
               const std::vector<std::string>& free_keys = {});
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const Ranks& ranks() const { return ranks_; }
  /// How many ranks the run began with, whatever they are now.
  int64_t ranks_at_start() const { return checkpoint_ ? checkpoint_->state.ranks : ranks_.size(); }
  /// From now on lines of metrics also go into TensorBoard's event files, tensorboard/<step>/.
  void add_event_files();
  /// A line of metrics.jsonl; other ranks than the first write none.
  void append_metrics(const OrderedJson& line);
  /// Whether a line of metrics.jsonl is of `step`.
  bool has_metrics_of(const std::string& step) const;
  /// The checkpoint to continue from; none for a new run, or one stopped before its first.
  const std::optional<FoundCheckpoint>& checkpoint() const { return checkpoint_; }

  /// Writes checkpoints/<step>-<iteration> whole or not at all, after syncing the metrics; keeps the newest `keep`. It
  /// is the newest: where the others have a sequence as large as that of `state`, it has the next one behind them.
  /// Every rank calls it and makes all of `tensors`; they go on when the checkpoint is there. `ranks` and
  /// `metrics_bytes` of `state` are known here.
  void write_checkpoint(const CheckpointState& state, std::vector<TensorSource> tensors, int64_t keep);

 private:
  void open(const std::string& config, bool resume, const std::vector<std::string>& free_keys);
  /// Takes the checkpoint that the first rank took.
  void follow_first(const std::string& config);

  const Ranks& ranks_;
  std::filesystem::path path_;
  std::unique_ptr<DirectoryLock> lock_;
  std::optional<FoundCheckpoint> checkpoint_;
  std::unique_ptr<MetricsFile> metrics_;
  std::unique_ptr<EventFiles> events_;
};

}  // namespace vlsi
