// vlsi evaluate: a model's score on a benchmark.
#include <iostream>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "eval/benchmark.h"

namespace vlsi {
namespace {

struct EvaluateOptions {
  ModelOptions model;
  DataOptions data;
  ChosenBenchmark benchmark;
  std::filesystem::path out;
  int64_t max_new_tokens = 16;
};

int run(const EvaluateOptions& options) {
  catch_interrupts();
  const auto benchmark = options.benchmark->open({options.data.data, options.data.images});
  make_directories(options.out);
  check_writable(options.out);
  const auto summary = evaluate(*benchmark, load(options.model), options.max_new_tokens, options.data.batch_tokens,
                                options.data.on_error(), options.out / "predictions.jsonl");
  OrderedJson results{{"benchmark", options.benchmark->name},
                      {"model", options.model.model.string()},
                      {"data", options.data.data.string()}};
  if (!options.model.adapter.empty()) results["adapter"] = options.model.adapter.string();
  results.update(summary.json);
  write_json(options.out / "results.json", results);
  std::cout << summary.text;
  return 0;
}

}  // namespace

Action add_evaluate(CLI::App& command) {
  auto options = std::make_shared<EvaluateOptions>();
  add_model_options(command, options->model);
  add_data_options(command, options->data);
  add_word_option(command, "--benchmark", options->benchmark, "");
  command.add_option("--out", options->out, "folder for results.json and predictions.jsonl")->required();
  command.add_option("--max-new-tokens", options->max_new_tokens, "longest answer")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  return [options] { return run(*options); };
}

}  // namespace vlsi
