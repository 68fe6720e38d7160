// Options of commands that let a model answer: how its answers are decoded.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/draft_options.h"
#include "run/speaker.h"

namespace vlsi {

/// What was given stands above what a Decoding has.
struct DecodingOptions {
  bool greedy = false;  // always where the command is
  std::optional<int64_t> max_new_tokens, num_beams, top_k, no_repeat_ngram_size;
  std::optional<double> length_penalty, temperature, top_p, min_p, repetition_penalty, presence_penalty,
      frequency_penalty;
  std::optional<EarlyStopping> early_stopping;
  std::vector<std::string> stop;
  uint64_t seed = 0;
  DraftOptions draft;

  /// The speaker's decoding, or with `greedy` its greedy one, with the options that were given. Error for options that
  /// do not go together.
  Decoding over(const Speaker& speaker) const;
};

/// `own_is_greedy`: the command decodes greedily where nothing else is asked for; otherwise as generation_config.json
/// says, which --greedy stands above.
void add_decoding_options(CLI::App& command, DecodingOptions& options, bool own_is_greedy,
                          const std::string& longest_by_default);

}  // namespace vlsi
