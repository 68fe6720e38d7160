// A model's answers to a benchmark's questions, judged and summed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <vector>

#include "eval/answers.h"
#include "eval/benchmark.h"
#include "ranks/ranks.h"

namespace vlsi {

struct AskOptions {
  AskConfig asking = {};
  int64_t limit = std::numeric_limits<int64_t>::max();  // the first so many questions
  bool blank = false;                                   // every question without its pictures
  OrderedJson asked = OrderedJson::object();            // what the answers depend on beside what is above
};

/// The model's answers to the questions, in their order, on the first rank (nothing on the others): those that the
/// folder `store` (AnswerStore) has, and the others, which the ranks share and which go there as they come. Bad records
/// are left out with kSkip. An interrupt ends it with an exception; called again, it goes on.
std::vector<Answer> ask_questions(const Benchmark& benchmark, const Speaker& speaker, const AskOptions& options,
                                  const std::filesystem::path& store, const Ranks& ranks = one_rank());

/// Judges the answers; the lines, with the number of each answer's tokens, go to the JSONL file `predictions`, and the
/// form in which they are handed in beside it, unless they are `blank`. `num_waiting` as JudgingConfig has it.
Summary judge_answers(const Benchmark& benchmark, std::vector<Answer> answers, bool blank,
                      const std::filesystem::path& predictions, int64_t num_waiting = 0);

}  // namespace vlsi
