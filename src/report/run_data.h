// What the report shows of one run directory, read from its files and read again while the run goes on.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "report/run_metrics.h"
#include "report/run_settings.h"

namespace vlsi {

class RunData {
 public:
  /// Error when `directory` is no run: it has neither metrics.jsonl nor config.yaml.
  explicit RunData(const std::filesystem::path& directory);

  /// Reads what is new. True if anything that is shown may have changed.
  bool refresh();

  const std::filesystem::path& directory() const { return directory_; }
  const RunSettings& settings() const { return settings_; }
  /// The run's part of the page's data, docs/formats.md, "Report data", without `samples`.
  OrderedJson to_json() const;

 private:
  void read_results();
  /// In order of their names; a run's folder that cannot be read becomes a note.
  std::vector<std::filesystem::path> folders_with_results();
  /// The JSON of a file that is there; a broken one becomes a note.
  std::optional<Json> read_optional(const std::filesystem::path& path);

  std::filesystem::path directory_;
  RunSettings settings_;
  RunMetrics metrics_;
  OrderedJson summary_, program_, evaluations_;
  std::vector<std::string> file_notes_;
};

}  // namespace vlsi
