// Validation samples with what every layer of a run's models says about them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/device_name.h"
#include "base/json.h"
#include "data/conversation.h"
#include "report/run_settings.h"

namespace vlsi {

struct SampleOptions {
  int64_t count = 3;             // samples, spread evenly over the data; 0 for none
  std::vector<std::string> ids;  // of the samples to take instead
  int64_t max_new_tokens = 16;   // of a model's own answer
  DeviceName device;
};

/// A conversation as a sample of the page, docs/formats.md, "Report data": its last question with the answer that is
/// expected, its pictures, the `problem` of one that cannot be read, and no panels yet.
OrderedJson sample_json(const Conversation& conversation);

/// Loads, one after the other, the student before and after the run and the teacher, and reads their layers on samples
/// of the run's validation data (else its training data): {"samples": [...], "sample_notes": [...]}, docs/formats.md,
/// "Report data". What is not there any more (a model, a data file, a picture), and a record that cannot be read,
/// becomes a note. Error for an id that no record of the data has.
OrderedJson read_samples(const std::filesystem::path& run, const RunSettings& settings, const SampleOptions& options);

}  // namespace vlsi
