// vlsi init: a complete model directory with random weights, or with a larger model's.
#include "base/hub_cache.h"
#include "base/json.h"
#include "base/log.h"
#include "checkpoint/cut_down.h"
#include "checkpoint/initialize.h"
#include "checkpoint/load.h"
#include "checkpoint/save.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "family/family.h"
#include "generate/decoding.h"
#include "text/tokenizer.h"

namespace vlsi {
namespace {

struct InitOptions {
  std::filesystem::path config, tokenizer, out, vision_from, cut_from;
  Initializer initializer = Initializer::kFanIn;
  StoredDtype dtype;
  uint64_t seed = 1, max_shard_bytes = kMaxShardBytes;
};

/// Error for a token that ends or begins a text and is outside the vocabulary: it goes into the files that the model
/// gets, and an end token there is refused when they are read.
void check_text_tokens(const ModelConfig& config, const InitOptions& options) {
  const auto check = [&](const char* key, int64_t token) {
    if (token < 0 || token >= config.text.vocab_size)
      fail(options.config.string(), ": ", key, " is ", token, " (where the file does not say, the family's), expected ",
           "the id of one of the vocabulary's ", config.text.vocab_size, " rows");
  };
  check("bos_token_id", config.bos_token_id);
  for (const int64_t token : config.eos_token_ids) check("eos_token_id", token);
  greedy_decoding(options.tokenizer, config);  // those of its generation_config.json, which the model gets
}

int run(InitOptions options) {
  options.tokenizer = model_directory(options.tokenizer);
  options.vision_from = model_directory(options.vision_from);
  options.cut_from = model_directory(options.cut_from);
  const auto config = parse_model_config(read_json(options.config), options.config.string());
  const auto tokenizer = Tokenizer::load(options.tokenizer);
  if (tokenizer.size() > config.text.vocab_size) {
    fail(options.config.string(), ": vocab_size is ", config.text.vocab_size, ", the tokenizer in ",
         options.tokenizer.string(), " needs ", tokenizer.size());
  }
  check_text_tokens(config, options);
  const auto picture_token = family_of(config).picture_token;
  const auto image_token = tokenizer.require(picture_token);
  if (image_token != config.image_token_id) {
    fail(options.config.string(), ": image_token_id is ", config.image_token_id, ", the tokenizer's ", picture_token,
         " is ", image_token);
  }
  const auto& folder = options.tokenizer;
  if (!std::filesystem::exists(folder / "preprocessor_config.json") &&
      !std::filesystem::exists(folder / "processor_config.json")) {
    fail("initialising ", options.out.string(), ": ", folder.string(),
         " has neither preprocessor_config.json nor processor_config.json, which say how pictures are read");
  }
  require_empty(options.out, "initialising");
  auto weights = random_weights(config, options.initializer, options.seed, options.dtype);
  if (!options.vision_from.empty()) take_vision_tower(weights, config, options.vision_from);
  if (!options.cut_from.empty()) cut_down(weights, config, options.cut_from);
  write_model(options.out, config, std::move(weights), options.tokenizer, options.max_shard_bytes);
  log_info(
      concat("wrote ", options.out.string(), ": ", static_cast<int64_t>(num_values(*make_vlm(config))),
             options.cut_from.empty() ? " random parameters" : " parameters, cut from " + options.cut_from.string()));
  return 0;
}

}  // namespace

Action add_init(CLI::App& command) {
  auto options = std::make_shared<InitOptions>();
  command.add_option("--config", options->config, "config.json of the architecture")->required();
  command
      .add_option("--tokenizer", options->tokenizer,
                  "directory with tokenizer.json and preprocessor_config.json or processor_config.json")
      ->required();
  command.add_option("--out", options->out, "the new directory")->required();
  auto* vision_from = command.add_option("--vision-from", options->vision_from,
                                         "take the vision tower (without its merger) of this model");
  command
      .add_option("--cut-from", options->cut_from,
                  "start from this larger model of the same family and tower, cut down to the new widths and layers")
      ->excludes(vision_from);
  add_word_option(command, "--initializer", options->initializer, "");
  add_word_option(command, "--dtype", options->dtype, "of the written weights");
  command.add_option("--seed", options->seed, "of the weights")->capture_default_str()->check(whole_number_from(0));
  add_shard_option(command, options->max_shard_bytes);
  return [options] { return run(*options); };
}

}  // namespace vlsi
