// vlsi generate: one answer to one prompt.
#include "generate/greedy.h"

#include <iostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/options.h"

namespace vlsi {
namespace {

struct GenerateOptions {
  ModelOptions model;
  PromptOptions prompt;
  int64_t max_new_tokens = 128;
  bool json = false;
};

int run(const GenerateOptions& options) {
  // What a person types is text, also where it looks like a control token.
  const auto speaker = load(options.model, SpecialText::kPlain);
  const auto batch =
      to_device(pack({speaker.processor->encode_prompt(options.prompt.conversation())}), speaker.model->device());

  const auto& tokenizer = speaker.processor->tokenizer();
  TextStream stream(tokenizer);
  const auto print = [&](int64_t, int32_t token) {
    if (!options.json) std::cout << stream.push(token) << std::flush;
  };
  const auto answer = generate_greedy(*speaker.model, batch,
                                      {options.max_new_tokens, speaker.stop_tokens, speaker.pictures.get()}, print)
                          .front();
  if (options.json) {
    std::cout << OrderedJson{{"text", tokenizer.decode(answer.tokens)},
                             {"tokens", answer.tokens},
                             {"finish_reason", answer.stopped ? "stop" : "length"}}
                     .dump()
              << "\n";
  } else {
    std::cout << stream.finish() << "\n";
  }
  return 0;
}

}  // namespace

Action add_generate(CLI::App& command) {
  auto options = std::make_shared<GenerateOptions>();
  add_model_options(command, options->model);
  add_prompt_options(command, options->prompt);
  command.add_option("--max-new-tokens", options->max_new_tokens, "longest answer")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  command.add_flag("--json", options->json, "print {text, tokens, finish_reason}");
  return [options] { return run(*options); };
}

}  // namespace vlsi
