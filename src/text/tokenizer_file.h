// Reads tokenizer.json, and refuses everything in it that the tokenizer would not do as the `tokenizers` library does.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/vocabulary.h"

namespace vlsi {

struct TokenizerFile {
  bool nfc = false;
  std::string pattern;        // of the pre-tokenizer, as the file has it
  std::string pattern_place;  // file and key, for errors
  bool ignore_merges = false;
  Vocabulary vocabulary;      // without the added tokens that are no byte-level text
  std::vector<Merge> merges;  // by falling precedence
  std::vector<AddedToken> added_tokens;
  std::string added_by_config;  // those of tokenizer_config.json alone, in words
};

/// With the tokens of added_tokens_decoder of tokenizer_config.json beside it that it lacks, as transformers adds them.
/// Error, naming file and part, for a missing or broken file, a part of an unknown kind, and contents that contradict
/// one another.
TokenizerFile read_tokenizer_file(const std::filesystem::path& path);

}  // namespace vlsi
