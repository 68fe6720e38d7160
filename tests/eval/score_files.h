// Benchmarks over data files that a test writes, with answers that it gives.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "eval/benchmark.h"
#include "tests/data/data_files.h"

namespace vlsi {

/// A table with these lines, tabs for bars.
inline std::string table(std::string text) {
  for (char& c : text) {
    if (c == '|') c = '\t';
  }
  return text;
}

/// The benchmark's summary of these answers, one a question, under a profile.
inline Summary score(const std::string& benchmark, const std::string& profile, const std::filesystem::path& data,
                     const std::vector<std::string>& answers) {
  const auto opened = benchmarks().find(benchmark)->open({data, {}, ChosenProfile(profile)});
  std::vector<Verdict> verdicts;
  for (size_t i = 0; i < answers.size(); ++i) verdicts.push_back(opened->judge(static_cast<int64_t>(i), answers[i]));
  return opened->summarize(verdicts);
}

/// A figure beside the score.
inline double figure(const Summary& summary, const std::string& name) {
  return summary.json["categories"][name]["score"].get<double>();
}

}  // namespace vlsi
