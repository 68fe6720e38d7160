#include "study/stage_command.h"

#include "base/contains.h"
#include "eval/model_results.h"

namespace vlsi {

Table<StageCommand>& stage_commands() {
  static Table<StageCommand> table{
      {.name = "distill",
       .meaning = "a run of a run's file",
       .result = "model",
       .takes_run = true,
       .makes_model = true,
       .is_seeded = true},
      {.name = "finetune",
       .meaning = "its fine-tuning alone",
       .result = "model",
       .takes_run = true,
       .tunes_alone = true,
       .makes_model = true,
       .is_seeded = true},
      {.name = "cache",
       .meaning = "the teacher cache of a run's file",
       .result = "cache",
       .takes_run = true,
       .makes_cache = true,
       .is_seeded = true},
      {.name = "init",
       .meaning = "a model with random weights",
       .result = "model",
       .options = {"config", "tokenizer", "vision-from", "cut-from", "initializer", "dtype", "seed"},
       .makes_model = true,
       .is_seeded = true,
       .starts_anew = true},
      {.name = "answer",
       .meaning = "a data file with a model's answers",
       .result = "answers.json",
       .options = {"model", "adapter", "dtype", "quantize", "data", "images", "batch-tokens", "labelled",
                   "max-new-tokens", "num-beams"},
       .takes_threads = true},
      {.name = "evaluate",
       .meaning = "a model's score on a benchmark",
       .result = kResultsFile,
       .options = {"model", "adapter", "dtype", "quantize", "benchmark", "profile", "data", "images", "batch-tokens",
                   "max-new-tokens", "num-beams", "limit"},
       .takes_threads = true,
       .fills_folder = true},
  };
  return table;
}

bool names_input(const std::string& key) {
  static const std::vector<std::string> inputs{"path",     "model",  "adapter",   "verbalizers",
                                               "cache",    "config", "tokenizer", "vision-from",
                                               "cut-from", "data",   "labelled"};
  return contains(inputs, key);
}

}  // namespace vlsi
