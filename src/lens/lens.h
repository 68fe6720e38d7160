// What every layer says: the most probable tokens of each layer at the answer positions of one input.
// (L layers, N answer positions, D width, V vocabulary rows)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/sample.h"
#include "run/speaker.h"
#include "text/tokenizer.h"

namespace vlsi {

struct LensConfig {
  int64_t max_new_tokens = 32;   // of the model's own answer
  int64_t num_candidates = 3;    // kept at each position
  int64_t num_logits = 1 << 24;  // held at a time, but at least those of one position
};

struct Candidate {
  int32_t token = 0;
  double probability = 0;
};

/// What one layer says at each answer position: its candidates, the most probable first, the lower id first among
/// equals.
struct LayerReading {
  int64_t layer = 0;                              // decoder layer, counted from 1
  std::vector<std::vector<Candidate>> positions;  // [N]
};

/// Layers of one input, shallow to deep; the last one is the model's own output.
struct LensReading {
  bool verbalized = false;      // through verbalizers; otherwise the logit lens
  bool answer_given = false;    // the answer was given; otherwise it is the model's own greedy one
  bool stopped = false;         // it ends with the end of turn, not at `max_new_tokens`
  std::vector<int32_t> answer;  // its tokens, without the end of turn
  std::vector<LayerReading> layers;
};

/// Error when a prompt (Processor::encode_prompt or outline_prompt) and an answer to it are longer than the model's
/// context.
void check_lens_length(const Speaker& speaker, const Sample& prompt, const std::vector<int32_t>& answer);

/// Reads the layers at the positions that predict the answer: `answer`, or the speaker's own greedy one. With
/// verbalizers their target layers, by the head that they were trained with; without, every decoder layer through the
/// final norm and the language head, the "logit lens". The model's output is read by its own head, and head rows beyond
/// the tokenizer's are padding. `prompt` comes from Processor::encode_prompt. Where the answer ended by itself, N is
/// one more than its tokens: the end of turn is predicted too. Error as check_lens_length.
LensReading read_lens(const Speaker& speaker, const LensConfig& config, const Sample& prompt,
                      const std::optional<std::vector<int32_t>>& answer = std::nullopt);

/// The sample with every picture replaced by the mean colour of the pre-processing: what is left is what the model
/// knows without seeing.
Sample blank_pictures(Sample sample);

/// A token's text for people: UTF-8 as it is, other bytes as \xNN.
std::string token_text(const Tokenizer& tokenizer, int32_t token);

/// docs/formats.md, "vlsi lens --json": {"lens", "answer", "layers"}, and as "blank" the same of a reading with blank
/// pictures, or null.
OrderedJson to_json(const LensReading& reading, const std::optional<LensReading>& blank, const Tokenizer& tokenizer);

}  // namespace vlsi
