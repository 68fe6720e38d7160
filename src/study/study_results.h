// What a study found, run by run: results.json in its folder, and those of several machines together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "study/stages.h"
#include "study/statistics.h"

namespace vlsi {

/// In a study's folder.
inline constexpr const char* kStudyResultsFile = "results.json";

/// A run's score on one evaluation. All scores are in per cent where the benchmark's is a share.
struct EvaluationScore {
  double score = 0;
  std::map<std::string, double> categories;
  std::filesystem::path folder;  // with predictions.jsonl
  std::string fingerprint = {};  // of what was asked (Stage::asked); empty in files of older versions
};

/// A variant with a seed, or with several that share its stage, measured.
struct VariantResult {
  std::string variant;
  std::vector<uint64_t> seeds;          // ascending, one or more
  std::string fingerprint, experiment;  // of its stage
  std::filesystem::path folder;         // of the run
  double seconds = 0, seconds_with_inputs = 0;
  int64_t peak_memory_bytes = 0;
  std::string processor = {};
  std::map<std::string, EvaluationScore> evaluations;  // by their names in the study's file
};

/// The results whose stages are done, with everything that these are made from. A stage that several seeds share is one
/// result of all of them.
std::vector<VariantResult> collect_results(const StudyConfig& study, const StudyStages& all);

/// results.json in `folder`, which paths in it are relative to; docs/formats.md.
void write_results(const std::filesystem::path& folder, const std::vector<VariantResult>& results);
std::vector<VariantResult> load_results(const std::filesystem::path& folder);

/// The results of all of `folders`, in the order of the study's variants and of seeds. A run that several have is one,
/// with the seeds of all. Error for a folder of another study (a variant that `study` lacks, or one that was made by
/// another configuration), for an evaluation that asked something else under its name, and for a run with other scores
/// than in a folder before.
std::vector<VariantResult> merge_results(const StudyConfig& study, const std::vector<std::filesystem::path>& folders);

/// The score of every question of predictions.jsonl in `folder`, by id; those that were not scored are left out. Error
/// for a line that has neither `score` nor `right`.
QuestionScores read_question_scores(const std::filesystem::path& folder);

}  // namespace vlsi
