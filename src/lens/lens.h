// What every layer says: the most probable tokens of each layer at the answer positions of one input.
// (L layers, N answer positions, D width, V vocabulary rows)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/sample.h"
#include "model/vlm.h"
#include "teacher/verbalizers.h"
#include "text/tokenizer.h"

namespace vlsi {

/// A model and the way its layers are read.
struct Lens {
  const Vlm& model;
  int64_t num_tokens;  // of the tokenizer; rows of the language head beyond them are padding
  /// Their target layers are read. Null: every decoder layer through the final norm and the language head, the "logit
  /// lens".
  const Verbalizers* verbalizers = nullptr;
  /// The language head that the verbalizers were trained with, [V, D]; undefined: the model's own. The model's output
  /// is always read by its own.
  at::Tensor verbal_head = {};
  std::vector<int64_t> stop_tokens = {};  // end the model's own answer
  int64_t max_new_tokens = 32;            // of the model's own answer
  int64_t num_candidates = 3;             // kept at each position
  PictureFeatures* pictures = nullptr;    // for Vlm::forward
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

/// Reads the layers at the positions that predict the answer: `answer`, or the model's own greedy one. `prompt` comes
/// from Processor::encode_prompt. Where the answer ended by itself, N is one more than its tokens: the end of turn is
/// predicted too.
LensReading read_lens(const Lens& lens, const Sample& prompt,
                      const std::optional<std::vector<int32_t>>& answer = std::nullopt);

/// The sample with every picture replaced by the mean colour of the pre-processing: what is left is what the model
/// knows without seeing.
Sample blank_pictures(Sample sample);

/// A token's text for people: UTF-8 as it is, other bytes as \xNN.
std::string token_text(const Tokenizer& tokenizer, int32_t token);

/// docs/formats.md, "vlsi lens --json": {"lens", "answer", "layers"}.
OrderedJson to_json(const LensReading& reading, const Tokenizer& tokenizer);

}  // namespace vlsi
