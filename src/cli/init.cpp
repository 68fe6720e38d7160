// vlsi init: a complete model directory with random weights.
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"
#include "input/tokenizer.h"
#include "model/load.h"

namespace vlsi {
namespace {

struct Options {
  std::filesystem::path config, tokenizer, out, vision_from;
  std::string initializer = "fan-in", dtype = "float32";
  uint64_t seed = 1;
};

int run(const Options& options) {
  const auto config = parse_model_config(read_json(options.config), options.config.string());
  const auto tokenizer = Tokenizer::load(options.tokenizer);
  if (tokenizer.size() > config.text.vocab_size) {
    fail(options.config.string(), ": vocab_size is ", config.text.vocab_size, ", the tokenizer in ", options.tokenizer.string(),
         " needs ", tokenizer.size());
  }
  const auto image_token = tokenizer.require("<|image_pad|>");
  if (image_token != config.image_token_id) {
    fail(options.config.string(), ": image_token_id is ", config.image_token_id, ", the tokenizer's <|image_pad|> is ", image_token);
  }
  if (!std::filesystem::exists(options.tokenizer / "preprocessor_config.json")) {
    fail("initialising ", options.out.string(), ": ", options.tokenizer.string(),
         " has no preprocessor_config.json, which says how pictures are read");
  }
  // The directory is replaced as a whole, so nothing else may live there.
  if (std::filesystem::is_directory(options.out) && !std::filesystem::is_empty(options.out)) {
    fail("initialising ", options.out.string(), ": the folder is not empty; choose another, or remove it");
  }
  const auto initializer = options.initializer == "normal" ? Initializer::kNormal : Initializer::kFanIn;
  const auto model = initialize_vlm(config, initializer, options.seed);
  if (!options.vision_from.empty()) {
    copy_vision_tower(*load_vlm(options.vision_from, at::kFloat), *model, options.vision_from.string());
  }
  save_vlm(options.out, *model, parse_dtype(options.dtype, "--dtype"), options.tokenizer);
  int64_t num_parameters = 0;
  for (const auto& [name, parameter] : model->named_parameters()) num_parameters += parameter.numel();
  log_info(concat("wrote ", options.out.string(), ": ", num_parameters, " random parameters"));
  return 0;
}

}  // namespace

void add_init(CLI::App& program, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = program.add_subcommand("init", "Write a complete Hugging Face directory with random weights");
  command->add_option("--config", options->config, "config.json of the architecture")->required();
  command->add_option("--tokenizer", options->tokenizer, "directory with tokenizer.json and preprocessor_config.json")->required();
  command->add_option("--out", options->out, "the new directory")->required();
  command->add_option("--vision-from", options->vision_from, "take the vision tower (without its merger) of this model");
  command->add_option("--initializer", options->initializer, "fan-in: std 1/sqrt(inputs); normal: std initializer_range")
      ->capture_default_str()->check(CLI::IsMember({"fan-in", "normal"}));
  command->add_option("--dtype", options->dtype, "of the written weights: float32 | bfloat16")->capture_default_str();
  command->add_option("--seed", options->seed, "of the weights")->capture_default_str();
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace vlsi
