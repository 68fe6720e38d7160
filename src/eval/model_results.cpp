#include "eval/model_results.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/safetensors.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> result_files(const fs::path& folder) {
  std::vector<fs::path> paths;
  if (fs::exists(folder / kResultsFile)) paths.push_back(folder / kResultsFile);
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (fs::exists(entry.path() / kResultsFile)) paths.push_back(entry.path() / kResultsFile);
    }
  }
  if (paths.empty()) fail(folder.string(), ": has no ", kResultsFile, ", and no folder in it has one");
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::optional<double> billions_of(const fs::path& model) {
  try {
    const auto checkpoint = Checkpoint::open(model);
    double sum = 0;
    for (const auto& name : checkpoint.names()) sum += num_values(checkpoint.info(name));
    return sum / 1e9;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

ModelResults read_model_results(const std::string& given) {
  const size_t sign = given.find('=');
  const fs::path folder = sign == given.npos ? given : given.substr(sign + 1);
  ModelResults results;
  results.name = sign == given.npos ? (folder / "").parent_path().filename().string() : given.substr(0, sign);
  for (const auto& path : result_files(folder)) {
    const Json json = read_json(path);
    const auto benchmark = require<std::string>(json, "benchmark", path.string());
    const auto score = find<double>(json, "score", path.string());
    const auto accuracy = find<double>(json, "accuracy", path.string());
    if (const auto model = find<std::string>(json, "model", path.string()); model && !results.billions) {
      results.billions = billions_of(*model);
    }
    if (!score && !accuracy) continue;
    const BenchmarkResult result{score ? *score : 100 * *accuracy,
                                 find<std::string>(json, "profile", path.string()).value_or("")};
    if (!results.of.emplace(benchmark, result).second) {
      fail(path.string(), ": is the second result of ", benchmark, " in ", folder.string());
    }
  }
  return results;
}

std::vector<ModelResults> read_model_results(const std::vector<std::string>& given) {
  std::vector<ModelResults> all;
  for (const auto& one : given) all.push_back(read_model_results(one));
  return all;
}

}  // namespace vlsi
