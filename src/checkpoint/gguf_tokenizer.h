// A Hugging Face directory's tokenizer as GGUF files hold one.
#pragma once

#include <filesystem>
#include <vector>

#include "gguf/gguf_writer.h"
#include "model/config.h"

namespace vlsi {

/// The keys of the tokenizer in `directory`: vocabulary, with a placeholder for each further row of the model's
/// embedding; merges; special ids of `config`; chat template, where there is one. Error naming file and part for what
/// llama.cpp has not: another pre-tokenizer than Qwen2's and GPT-2's, and `ignore_merges`; and for an id without a row.
/// llama.cpp does not bring text into a normal form: where the tokenizer does, other forms are other tokens there.
std::vector<GgufEntry> gguf_tokenizer_entries(const std::filesystem::path& directory, const ModelConfig& config);

}  // namespace vlsi
