// Answers that were made elsewhere, judged and summed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eval/benchmark.h"

namespace vlsi {

/// Questions of the benchmark and their answers, in the order of the questions. What is read: VLMEvalKit's table or
/// JSON (index, prediction), lmms-eval's JSONL of samples (doc_id, filtered_resps or resps), an object of answers by
/// ids, and predictions.jsonl of this program (id, answer). A prediction that pandas takes for missing is "nan", as
/// VLMEvalKit has it when it reads its table again. Error for an answer to a question that the benchmark lacks, and for
/// two to one.
std::vector<QuestionAnswer> read_predictions(const std::filesystem::path& path, const Benchmark& benchmark);

/// Judges the answers to the first `limit` questions; the lines go to the JSONL file `lines`. Questions without an
/// answer are left out and counted in the summary. `num_waiting` as JudgingConfig has it.
Summary score_predictions(const Benchmark& benchmark, const std::filesystem::path& predictions, int64_t limit,
                          const std::filesystem::path& lines, int64_t num_waiting = 0);

}  // namespace vlsi
