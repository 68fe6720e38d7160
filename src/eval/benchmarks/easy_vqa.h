// easy-VQA: questions about one shape each, whose answers are single words.
#pragma once

#include "eval/benchmark.h"

namespace vlsi {

/// Of a data file (docs/formats.md) whose conversations end with the right answer: right is an answer equal to it but
/// for white space around it. Counted over all and by the records' `category`, the type of the question.
std::unique_ptr<Benchmark> open_easy_vqa(const BenchmarkSource& source);

}  // namespace vlsi
