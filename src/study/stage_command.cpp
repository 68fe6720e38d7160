#include "study/stage_command.h"

#include <algorithm>

namespace vlsi {

Table<StageCommand>& stage_commands() {
  static Table<StageCommand> table{
      {"distill", "a run of a run's file", "model", true, {}},
      {"finetune", "its fine-tuning alone", "model", true, {}, true},
      {"cache", "the teacher cache of a run's file", "cache", true, {}},
      {"init",
       "a model with random weights",
       "model",
       false,
       {"config", "tokenizer", "vision-from", "cut-from", "initializer", "dtype", "seed"}},
      {"answer",
       "a data file with a model's answers",
       "answers.json",
       false,
       {"model", "adapter", "dtype", "quantize", "data", "images", "batch-tokens", "labelled", "max-new-tokens",
        "num-beams"}},
      {"evaluate",
       "a model's score on a benchmark",
       "results.json",
       false,
       {"model", "adapter", "dtype", "quantize", "benchmark", "profile", "data", "images", "batch-tokens",
        "max-new-tokens", "num-beams", "limit"}},
  };
  return table;
}

bool names_input(const std::string& key) {
  static const std::vector<std::string> inputs{"path",     "model",  "adapter",   "verbalizers",
                                               "cache",    "config", "tokenizer", "vision-from",
                                               "cut-from", "data",   "labelled"};
  return std::find(inputs.begin(), inputs.end(), key) != inputs.end();
}

}  // namespace vlsi
