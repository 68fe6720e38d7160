#include "cli/options.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <charconv>
#include <system_error>

#include "base/error.h"
#include "base/hub_cache.h"
#include "base/present_device.h"
#include "data/data_source.h"
#include "eval/asked.h"
#include "teacher/verbalizers.h"

namespace vlsi {

namespace {

/// What is there, else what the hub's cache has of this name, else what was given, for the message about it, as where
/// it cannot be looked at.
std::filesystem::path path_of_data(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) || !std::filesystem::status_known(status)) return path;
  return find_in_hub_cache(path, HubKind::kDataset).value_or(path);
}

}  // namespace

void add_model_options(CLI::App& command, ModelOptions& options) {
  command
      .add_option_function<std::string>(
          "--model", [&options](const std::string& text) { options.model = model_directory(text); },
          "Hugging Face directory, or org/name in the hub's local cache")
      ->required();
  command.add_option("--adapter", options.adapter, "PEFT directory of a LoRA adapter for the model");
  add_word_option(command, "--device", options.device, "");
  add_word_option(command, "--dtype", options.dtype, "");
  add_word_option(command, "--quantize", options.quantize, "the decoder's weights in memory");
  command.add_option("--threads", options.threads, "0: one a core")->capture_default_str();
}

void add_data_options(CLI::App& command, DataOptions& options) {
  command
      .add_option_function<std::string>(
          "--data", [&options](const std::string& text) { options.data = path_of_data(text); },
          "LLaVA/ShareGPT or messages records: " + describe_data_formats() +
              "; or one of the hub's local cache, org/name/file")
      ->required();
  command.add_option("--images", options.images, "where relative picture paths start [the data file's folder]");
  command
      .add_option("--batch-tokens", options.batch_tokens,
                  "a packed batch holds at most this many tokens; a longer sample is a batch of its own")
      ->capture_default_str()
      ->check(whole_number_from(1));
  command.add_flag("--skip-bad-records", options.skip_bad_records,
                   "count and list broken records instead of stopping at the first");
}

std::filesystem::path DataOptions::file() const {
  const auto files = files_of(data);
  if (files.size() > 1) fail("--data ", data.string(), ": has ", files.size(), " data files, expected one of them");
  return files[0];
}

Conversation PromptOptions::conversation() const {
  Conversation conversation{"prompt", "", {}};
  if (!system.empty()) conversation.turns.push_back({Role::kSystem, {{Content::Kind::kText, system, {}}}});
  Turn user{Role::kUser, {}};
  for (const auto& image : images) user.contents.push_back({Content::Kind::kImage, "", image});
  user.contents.push_back({Content::Kind::kText, prompt, {}});
  conversation.turns.push_back(std::move(user));
  return conversation;
}

void add_prompt_options(CLI::App& command, PromptOptions& options) {
  command.add_option("--image", options.images, "a picture; may be given several times");
  command.add_option("--prompt", options.prompt, "the question")->required();
  command.add_option("--system", options.system, "a system turn instead of the template's own");
}

void add_shard_option(CLI::App& command, uint64_t& max_shard_bytes) {
  command
      .add_option("--max-shard-bytes", max_shard_bytes,
                  "larger weights are split into files of at most this size, with an index")
      ->capture_default_str()
      ->check(whole_number_from(1));
}

CLI::Validator whole_number_from(int64_t least) {
  return CLI::Validator(
      [least](std::string& text) {
        int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool good = error == std::errc() && end == text.data() + text.size() && value >= least;
        return good ? "" : concat("found ", text, ", expected a whole number from ", least, " up");
      },
      "");
}

Dtype dtype_of_verbalizers(const std::filesystem::path& directory) {
  if (directory.empty()) return {};
  return Dtype::parse(read_verbalizers_description(directory).backbone.dtype).value_or(Dtype{});
}

void use_threads(int64_t threads) {
  if (threads < 0 || threads > 1024) fail("--threads is ", threads, ", expected 0 to 1024");
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
}

Speaker load(const ModelOptions& options, SpecialText special_text, SpeakerFiles more) {
  use_threads(options.threads);
  if (options.quantize != Quantization::kNone && !options.device.value.is_cpu()) {
    fail("--quantize is '", text_of(options.quantize), "', which is for the CPU, and --device is '",
         options.device.text(), "'");
  }
  check_device(options.device);
  more.model = options.model;
  more.adapter = options.adapter;
  more.quantize = options.quantize;
  return load_speaker(more, options.dtype.value(), options.device, special_text);
}

void expect_apart(const std::filesystem::path& out, const char* name,
                  const std::vector<std::filesystem::path>& inputs) {
  std::error_code unknown;
  for (const auto& input : inputs) {
    if (std::filesystem::equivalent(out, input, unknown))
      fail(name, " ", out.string(), " is ", input.string(), ", which is read; choose another name");
  }
}

OrderedJson model_json(const ModelOptions& options, const std::filesystem::path& verbalizers) {
  OrderedJson json{{"model", fingerprint_of_directory(options.model)}};
  if (!options.adapter.empty()) json["adapter"] = fingerprint_of_directory(options.adapter);
  if (!verbalizers.empty()) json["verbalizers"] = fingerprint_of_directory(verbalizers);
  json["device"] = c10::DeviceTypeName(options.device.value.type(), /*lower_case=*/true);
  json["dtype"] = text_of(*options.dtype);
  json["quantize"] = text_of(options.quantize);
  return json;
}

void require_empty(const std::filesystem::path& folder, const char* action) {
  if (std::filesystem::is_directory(folder) && !std::filesystem::is_empty(folder)) {
    fail(action, " ", folder.string(), ": the folder is not empty; choose another, or remove it");
  }
}

void check_device(const DeviceName& device, const std::string& place) {
  if (is_here(device)) return;
  const int64_t number = num_devices(device.value.type());
  fail(place, " is '", device.text(), "', but there is ",
       number == 0 ? "no GPU here that LibTorch can use" : concat("none beyond number ", number - 1, " here"));
}

}  // namespace vlsi
