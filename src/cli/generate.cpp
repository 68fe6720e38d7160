// vlsi generate: one answer to one prompt.
#include <iostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/decoding_options.h"
#include "cli/options.h"
#include "generate/cache_room.h"
#include "generate/engine.h"

namespace vlsi {
namespace {

struct GenerateOptions {
  ModelOptions model;
  PromptOptions prompt;
  DecodingOptions decoding;
  bool json = false;
};

int run(const GenerateOptions& options) {
  // What a person types is text, also where it looks like a control token.
  const auto speaker = load(options.model, SpecialText::kPlain, options.decoding.draft.files(options.model.model));
  const auto prompt = speaker.processor->encode_prompt(options.prompt.conversation());
  const auto decoding = options.decoding.over(speaker);
  EngineConfig config;
  config.cache_bytes = cache_bytes_of_one(*speaker.model, std::ssize(prompt.tokens), decoding);
  config.max_sequences = std::max(config.max_sequences, decoding.num_beams);
  config.draft = options.decoding.draft.of(speaker, decoding);
  Engine engine(*speaker.model, speaker.processor->tokenizer(), speaker.pictures.get(), config);
  const auto answer = generate(engine, prompt, decoding, [&](std::string_view text) {
    if (!options.json) std::cout << text << std::flush;
    return true;
  });
  if (options.json) {
    std::cout << OrderedJson{{"text", answer.text},
                             {"tokens", answer.tokens},
                             {"finish_reason", answer.finish == Finish::kStop ? "stop" : "length"}}
                     .dump();
  }
  std::cout << "\n";
  log_drafts(answer.counts);
  return 0;
}

}  // namespace

Action add_generate(CLI::App& command) {
  auto options = std::make_shared<GenerateOptions>();
  add_model_options(command, options->model);
  add_prompt_options(command, options->prompt);
  add_decoding_options(command, options->decoding, /*own_is_greedy=*/false,
                       "generation_config.json's, without it or with --greedy 128");
  add_verbalizer_options(command, options->decoding.draft);
  command.add_flag("--json", options->json, "print {text, tokens, finish_reason}");
  return [options] { return run(*options); };
}

}  // namespace vlsi
