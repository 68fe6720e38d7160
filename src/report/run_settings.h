// A run's config.yaml as the report shows it: what it set, by which method it trains, and where its models and data
// are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "run/steps.h"

namespace vlsi {

struct SettingDifference {
  std::string key, value, default_value;
};

/// Read without judging: a key that this program does not know, or that is not there, is no error.
struct RunSettings {
  /// "VLsI", "last-layer distillation", "fine-tuning", "verbalization", …; empty without a configuration.
  std::string method;
  std::string seed, dtype;  // empty where they are not there
  RunConfig config;         // what of it can be read, over the defaults; a step that is not there has no iterations
  std::vector<std::pair<StepKind, int64_t>> planned;  // their iterations; 0: by epochs
  DataConfig data;                                    // of the last step that trains
  /// Every key whose value is neither the default nor, in a step's `optimizer` and `data`, the general one.
  std::vector<SettingDifference> differences;
};

/// Error when the file is no YAML.
RunSettings read_run_settings(const std::filesystem::path& path);

}  // namespace vlsi
