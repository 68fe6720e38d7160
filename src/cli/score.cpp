// vlsi score: how likely a model finds the answers of a data file.
#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "eval/answers.h"

namespace vlsi {
namespace {

struct ScoreOptions {
  ModelOptions model;
  DataOptions data;
  std::filesystem::path out;
};

int run(const ScoreOptions& options) {
  catch_interrupts();
  expect_apart(options.out, "--out", {options.data.file()});
  const RecordFile file(options.data.file(), options.data.images);
  AtomicFile out(options.out);
  const auto speaker = load(options.model);
  score_all(speaker, file, options.data.batch_tokens, options.data.on_error(), [&](const Score& score) {
    out.write(OrderedJson{{"id", score.id},
                          {"tokens", score.tokens},
                          {"logprobs", score.logprobs},
                          {"loss", score.loss},
                          {"num_prompt_tokens", score.num_prompt_tokens},
                          {"num_image_tokens", score.num_image_tokens}}
                  .dump() +
              "\n");
  });
  out.commit();
  return 0;
}

}  // namespace

Action add_score(CLI::App& command) {
  auto options = std::make_shared<ScoreOptions>();
  add_model_options(command, options->model);
  add_data_options(command, options->data);
  command.add_option("--out", options->out, "JSONL file to write")->required();
  return [options] { return run(*options); };
}

}  // namespace vlsi
