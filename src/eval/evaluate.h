// A model's answers to a benchmark's questions, or answers made elsewhere, judged and summed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>

#include "eval/answers.h"
#include "eval/benchmark.h"

namespace vlsi {

struct AskOptions {
  AskConfig asking = {};
  int64_t limit = std::numeric_limits<int64_t>::max();  // the first so many questions
  bool blank = false;                                   // every question without its pictures
};

/// Asks the model every question and judges its answers, which go to the JSONL file `predictions`; bad
/// records are left out with kSkip.
Summary evaluate(const Benchmark& benchmark, const Speaker& speaker, const AskOptions& options,
                 const std::filesystem::path& predictions);

}  // namespace vlsi
