// Answers judged one by one: their verdicts, and the lines of predictions.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "eval/benchmark.h"

namespace vlsi {

struct JudgingConfig {
  int64_t num_waiting = 0;                                     // verdicts that wait for a judge at once; 0: none does
  std::function<void(size_t, OrderedJson&)> add_to = nullptr;  // to the line of an answer, by its place
};

/// The verdicts on the answers, in their order, without their lines, which go to the JSONL file `lines`. An interrupt
/// ends it with an exception, and so does an Error of a question, or of a judge that gave no reply to any; an earlier
/// file stays then.
std::vector<Verdict> judge_all(const Benchmark& benchmark, const std::vector<QuestionAnswer>& answers,
                               const std::filesystem::path& lines, const JudgingConfig& config = {});

}  // namespace vlsi
