// A run's data read through: how much there is of what, what is there twice, and what is broken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/data_source.h"
#include "data/sample_pair.h"
#include "run/config.h"

namespace vlsi {

/// What one source holds.
struct SourceSurvey {
  std::string name;
  std::string problem;       // why it cannot be opened; all else is 0 then
  int64_t num_expected = 0;  // DataSource::num_records
  int64_t num_files = 0, num_in_files = 0;
  int64_t num_records = 0;  // kept
  int64_t num_broken = 0;
  int64_t num_repeated = 0;  // samples that stand before in the data, here or in a source in front
  int64_t num_pictures = 0, num_distinct_pictures = 0;
  int64_t num_tokens = 0, num_answer_tokens = 0, num_picture_tokens = 0;  // as the student is shown them
  int64_t shortest = 0, median = 0, long_one = 0,
          longest = 0;  // tokens of a sample, the longer of both models'; a twentieth are longer than long_one
  std::vector<std::string> reasons;  // of the first kMostReasons that are broken, in order
  static constexpr size_t kMostReasons = 5;
};

struct BrokenRecord {
  std::string source;  // its name
  std::filesystem::path file;
  int64_t number = 0;      // in the file, from 1
  std::optional<Json> id;  // `id`, `idx` or `index`, where it has one that can be read
  std::string reason;
};

/// The distinct sources of the steps that a run takes, training data first.
std::vector<DataSource> surveyed_sources(const RunConfig& config);

/// Reads every record of `sources` once by `data.workers` threads, as samples of `maker` that are not longer than the
/// limits of `data`. A source that cannot be opened, and a record that is broken, are counted and no Error. Ends early,
/// with what was read, where an interrupt comes. `each` gets the broken records in the order of the sources and of the
/// records in them, by one thread at a time, as soon as all before them are read.
std::vector<SourceSurvey> survey(const std::vector<DataSource>& sources, const SampleMaker& maker,
                                 const DataConfig& data, const std::function<void(const BrokenRecord&)>& each = {});

/// Whether a step that the run takes reads the source, and ends at a broken record.
bool ends_at_broken_record(const RunConfig& config, const DataSource& source);

/// Lines of a table, and what is broken below it.
std::string to_text(const std::vector<SourceSurvey>& surveys);
/// {"sources": [{key: number or text}]}
OrderedJson to_json(const std::vector<SourceSurvey>& surveys);

}  // namespace vlsi
