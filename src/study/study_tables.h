// The tables of a study: means over seeds, and differences to the baseline with their intervals.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/words.h"
#include "study/study_results.h"

namespace vlsi {

/// Paired: ours minus the baseline's of the same seed.
struct Difference {
  MeanAndDeviation over_seeds;
  std::optional<Interval> seeds_interval;      // Student's t; none of one pair
  std::optional<Interval> questions_interval;  // bootstrap; none where the score is no mean over questions
};

struct StudyRow {
  std::string variant, title;
  MeanAndDeviation score;             // of its runs, each once
  std::map<uint64_t, double> scores;  // by seed, of which several may share a run
  std::map<std::string, MeanAndDeviation> categories;
  MeanAndDeviation seconds, seconds_with_inputs, peak_memory_bytes;
  std::optional<Difference> difference;  // none of the baseline, and without a seed in common with it
};

/// One of the study's `compare`.
struct StudyComparison {
  std::string variant, minus;  // names
  std::string title;           // "VLsI minus fine-tuning only"
  Difference difference;
};

/// Of one evaluation.
struct StudyTable {
  std::string evaluation, baseline;  // the baseline's title
  std::vector<std::string> categories;
  std::vector<StudyRow> rows;                // in the order of the study's variants; those with results
  std::vector<StudyComparison> comparisons;  // in the study's order; those with a seed in common
};

/// One table for each of the study's evaluations that there are results of.
std::vector<StudyTable> study_tables(const StudyConfig& study, const std::vector<VariantResult>& results);

enum class StudyFormat { kText, kMarkdown, kJson };
template <>
struct EnumNames<StudyFormat> {
  static constexpr EnumName<StudyFormat> all[]{
      {"text", StudyFormat::kText}, {"markdown", StudyFormat::kMarkdown}, {"json", StudyFormat::kJson}};
};

/// Each table as two: scores with time and memory, and differences to the baseline and to others. JSON:
/// docs/formats.md.
std::string to_text(const std::vector<StudyTable>& tables, StudyFormat format);
OrderedJson to_json(const std::vector<StudyTable>& tables);

}  // namespace vlsi
