// A run's metrics.jsonl as curves and matches: read once, line by line, and read on while the run goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "report/curve.h"
#include "report/match_history.h"

namespace vlsi {

class MetricLineParser;

/// The target layers that name the curves of a list: the first number of `layer_loss` is that of the first layer.
struct TargetLayers {
  std::vector<int64_t> student, teacher;
};

/// Whatever a line holds that cannot be used is left out and told in `notes`; the rest is shown.
class RunMetrics {
 public:
  explicit RunMetrics(std::filesystem::path path);
  ~RunMetrics();

  /// Reads what was appended since the last call; from the start when the file was cut or replaced. True if anything
  /// changed. Error when the file cannot be read. A missing file is an empty one.
  bool refresh();

  int64_t num_lines() const;
  /// What was left out, and why, for people.
  std::vector<std::string> notes() const;

  /// docs/formats.md, "Report data": the `steps` of a run.
  OrderedJson steps_json(const TargetLayers& layers) const;
  /// MatchHistory's of the interaction, or null without one.
  OrderedJson matching_json(const TargetLayers& layers) const;

 private:
  struct Content;

  std::filesystem::path path_;
  std::unique_ptr<MetricLineParser> parser_;
  std::unique_ptr<Content> content_;
  int64_t offset_ = 0;     // behind the last whole line
  std::string last_line_;  // with its line end; another text there means another file
};

}  // namespace vlsi
