// Options that several commands share.
#pragma once

#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/device_name.h"
#include "base/dtype.h"
#include "base/json.h"
#include "base/words.h"
#include "data/conversation.h"
#include "data/loader.h"
#include "run/speaker.h"

namespace vlsi {

/// Of commands that load one model and go over data or a prompt.
struct ModelOptions {
  std::filesystem::path model, adapter;
  DeviceName device;
  std::optional<Dtype> dtype = Dtype{};  // absent: by what else is loaded
  Quantization quantize = Quantization::kNone;
  int64_t threads = 0;
};

/// Of commands that read a data file.
struct DataOptions {
  std::filesystem::path data, images;
  int64_t batch_tokens = LoaderConfig().batch_tokens;
  bool skip_bad_records = false;

  /// The one file that `data` is or has. Error for a folder with several.
  std::filesystem::path file() const;
  OnError on_error() const { return skip_bad_records ? OnError::kSkip : OnError::kStop; }
};

/// Of commands that ask one question.
struct PromptOptions {
  std::vector<std::filesystem::path> images;
  std::string prompt, system;

  Conversation conversation() const;
};

void add_model_options(CLI::App& command, ModelOptions& options);
void add_data_options(CLI::App& command, DataOptions& options);
void add_prompt_options(CLI::App& command, PromptOptions& options);

/// --max-shard-bytes, of commands that write a model.
void add_shard_option(CLI::App& command, uint64_t& max_shard_bytes);

/// What an option with a whole number from `least` up accepts.
CLI::Validator whole_number_from(int64_t least);

/// An option whose value is a word (base/words.h), or a std::optional of one: the help lists the words behind
/// `meaning`, and another is an Error.
template <class Value>
CLI::Option* add_word_option(CLI::App& command, const std::string& name, Value& value, const std::string& meaning) {
  using Word = typename std::conditional_t<HasWords<Value>, std::optional<Value>, Value>::value_type;
  auto* option = command.add_option_function<std::string>(
      name, [&value, name](const std::string& text) { value = parse_or_fail<Word>(text, name); },
      (meaning.empty() ? "" : meaning + ": ") + words_of<Word>("; "));
  if (const std::optional<Word> present = value) option->default_str(text_of(*present));
  return option;
}

/// What --dtype is where it is not given: that of the backbone that the verbalizers in `directory` were trained on; the
/// usual one where it is empty.
Dtype dtype_of_verbalizers(const std::filesystem::path& directory);

/// Error where the file `out` of the option `name` is one of the inputs: writing it would destroy what is read. Inputs
/// may be empty, or not be there.
void expect_apart(const std::filesystem::path& out, const char* name, const std::vector<std::filesystem::path>& inputs);

/// Threads for tensor operations: `threads`, or one a core for 0.
void use_threads(int64_t threads);

/// The model with its adapter, on its device, and with the `more` of it that the command takes; the threads are set.
/// Error for options that cannot be, before anything is read.
Speaker load(const ModelOptions& options, SpecialText special_text = SpecialText::kControl, SpeakerFiles more = {});

/// What answers depend on beside questions and decoding: the files of the model, its adapter and the `verbalizers` that
/// draft (may be empty), by their content, and how the model is loaded.
OrderedJson model_json(const ModelOptions& options, const std::filesystem::path& verbalizers);

/// Error saying the `action` when `folder`, which is to be replaced as a whole, holds anything.
void require_empty(const std::filesystem::path& folder, const char* action);

/// Error naming the `place` of the setting for a GPU that is not there.
void check_device(const DeviceName& device, const std::string& place = "--device");

}  // namespace vlsi
