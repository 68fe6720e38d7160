// A run's config.yaml as the report shows it: what it set, by which method it trains, and where its models and data
// are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vlsi {

struct SettingDifference {
  std::string key, value, default_value;
};

struct DataPlace {
  std::filesystem::path path, images;
};

/// Read without judging: a key that this program does not know, or that is not there, is no error.
struct RunSettings {
  std::string
      method;  // "VLsI", "last-layer distillation", "fine-tuning", "verbalization", …; empty without a configuration
  std::string seed, dtype;
  std::filesystem::path student, teacher;                          // model directories; may be empty
  std::filesystem::path student_verbalizers, teacher_verbalizers;  // given ones; may be empty
  std::vector<int64_t> student_layers, teacher_layers;
  std::vector<std::pair<std::string, int64_t>> planned;  // iterations by the metrics' step; 0: by epochs
  std::vector<DataPlace> train, validation;              // of the last step that trains
  /// Every key whose value is neither the default nor, in a step's `optimizer` and `data`, the general one.
  std::vector<SettingDifference> differences;
};

/// Error when the file is no YAML.
RunSettings read_run_settings(const std::filesystem::path& path);

}  // namespace vlsi
