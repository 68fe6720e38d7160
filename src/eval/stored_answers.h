// A model's answers to all questions, kept on disk as they come.
#pragma once

#include <filesystem>
#include <vector>

#include "base/json.h"
#include "eval/answers.h"
#include "ranks/ranks.h"

namespace vlsi {

struct StoredAsking {
  AskConfig asking = {};
  OrderedJson asked = OrderedJson::object();  // what the answers depend on beside the questions and `asking`
  std::filesystem::path store;                // AnswerStore's
};

/// The model's answers to the last user turns of the records, in their order, on the first rank (nothing on the
/// others): those that the store has, and the others, which the ranks share and which go there as they come. Bad
/// records are left out with kSkip. An interrupt ends it with an exception; called again, it goes on.
std::vector<Answer> stored_answers(const Records& records, const Speaker& speaker, const StoredAsking& config,
                                   const Ranks& ranks = one_rank());

}  // namespace vlsi
