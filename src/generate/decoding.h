// How an answer is decoded: greedily, by beams or by sampling, with which penalties, and what ends it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/words.h"
#include "model/config.h"

namespace vlsi {

/// When a beam search ends, as transformers' `early_stopping`: with the first `num_beams` finished answers, when no
/// better one is likely, or when no better one is possible.
enum class EarlyStopping { kFirstFinished, kUnlikely, kNever };

template <>
struct EnumNames<EarlyStopping> {
  static constexpr EnumName<EarlyStopping> all[]{
      {"first", EarlyStopping::kFirstFinished, "with as many finished answers as beams"},
      {"unlikely", EarlyStopping::kUnlikely, "when a better answer is unlikely"},
      {"never", EarlyStopping::kNever, "when no better answer is possible"}};
};

/// Of one request. The names and meanings are those of transformers' generation_config.json; presence and frequency
/// penalties are OpenAI's, over the answer's own tokens.
struct Decoding {
  int64_t max_new_tokens = 128;
  int64_t min_new_tokens = 0;        // before which no stop token is chosen
  std::vector<int64_t> stop_tokens;  // end an answer; not part of it
  std::vector<std::string> stop;     // texts that end an answer; not part of it

  int64_t num_beams = 1;
  double length_penalty = 1.0;
  EarlyStopping early_stopping = EarlyStopping::kUnlikely;

  bool sample = false;  // otherwise the most likely token, the lowest id first among equals
  double temperature = 1.0;
  int64_t top_k = 0;   // 0: all
  double top_p = 1.0;  // 0: the likeliest token alone
  double min_p = 0.0;
  uint64_t seed = 0;  // of the draws: the same request gives the same answer, whatever is decoded beside it

  double repetition_penalty = 1.0;  // over prompt and answer
  double presence_penalty = 0.0;
  double frequency_penalty = 0.0;
  int64_t no_repeat_ngram_size = 0;
  std::vector<int64_t> suppress_tokens;
  std::vector<std::vector<int64_t>> bad_words_ids;

  /// Whether `token` ends an answer.
  bool stops_at(int64_t token) const {
    return std::find(stop_tokens.begin(), stop_tokens.end(), token) != stop_tokens.end();
  }

  std::optional<int64_t> top_logprobs;  // with the answer's log-probabilities, and those of so many likely tokens
};

/// Greedy, with the stop tokens of a model directory: generation_config.json's eos_token_id (a number or a list), else
/// all of config.json's.
Decoding greedy_decoding(const std::filesystem::path& directory, const ModelConfig& config);

/// The same with all of generation_config.json, where there is one. Error naming the file and key for a value of
/// another type; what cannot be decoded so is check_decoding's to say, of the settings that are used.
Decoding default_decoding(const std::filesystem::path& directory, const ModelConfig& config);

/// Error beginning with `place` for settings that cannot be, or do not go together.
void check_decoding(const Decoding& decoding, int64_t vocab_size, const std::string& place);

}  // namespace vlsi
