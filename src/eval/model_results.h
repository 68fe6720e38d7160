// What `vlsi evaluate` found out about one model.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vlsi {

/// What an evaluation's folder has: the scores, and every answer with its verdict.
inline constexpr const char *kResultsFile = "results.json", *kPredictionsFile = "predictions.jsonl";

struct BenchmarkResult {
  double score;         // shares in per cent
  std::string profile;  // empty for a benchmark without profiles
};

struct ModelResults {
  std::string name;
  std::optional<double> billions;             // of weights, where the evaluated model is still in its folder
  std::map<std::string, BenchmarkResult> of;  // by benchmark, without those that could not be scored
};

/// `given` is a folder, after which the model is called, or `name=folder`. Results are the results.json of the folder
/// and those of the folders in it. Error for a folder without results, for two results of one benchmark, and for a file
/// that is no result.
ModelResults read_model_results(const std::string& given);
std::vector<ModelResults> read_model_results(const std::vector<std::string>& given);

}  // namespace vlsi
