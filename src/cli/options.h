// Options that several commands share.
#pragma once

#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/conversation.h"
#include "data/loader.h"
#include "eval/answers.h"

namespace vlsi {

/// Of commands that load one model and go over data or a prompt.
struct ModelOptions {
  std::filesystem::path model, adapter;
  std::string device = "cpu", dtype = "float32";
  int64_t threads = 0;
};

/// Of commands that read a data file.
struct DataOptions {
  std::filesystem::path data, images;
  int64_t batch_tokens = 4096;
  bool skip_bad_records = false;

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

/// Threads for tensor operations: `threads`, or one a core for 0.
void use_threads(int64_t threads);

/// The model with its adapter, on its device; the threads are set. Error for options that cannot be, before anything is
/// read.
LoadedModel load(const ModelOptions& options, SpecialText special_text = SpecialText::kControl);

/// Error saying the `action` when `folder`, which is to be replaced as a whole, holds anything.
void require_empty(const std::filesystem::path& folder, const char* action);

/// "cpu", "cuda", "cuda:1"; Error for anything else, and for a GPU that is not there.
at::Device parse_device(const std::string& name);

}  // namespace vlsi
