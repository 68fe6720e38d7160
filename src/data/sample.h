// One conversation as the model family wants it: tokens, positions, pictures. (T tokens, N answer positions)
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vlsi {

/// What a tower and a projector need to know of a picture beside its patches.
struct PictureShape {
  int64_t num_patches = 0;          // rows of patches
  int64_t num_rows = 0;             // rows that the projector makes of them: tokens of the picture
  std::array<int64_t, 4> layout{};  // the family's own numbers, such as rows and columns of patches

  bool operator==(const PictureShape&) const = default;
};

struct PicturePatches {
  at::Tensor rows;  // [num_patches, C] f32, values and order as the family's tower reads them; undefined in an outline
  PictureShape shape;
};

struct Sample {
  std::string id, category;
  std::vector<int32_t> tokens;                  // [T]
  std::vector<std::vector<int32_t>> positions;  // [A][T], on each axis of the family's rotary positions
  std::vector<int32_t> answer_positions;        // [N], where the *next* token belongs to an answer
  std::vector<int32_t> labels;                  // [N], those next tokens
  std::vector<float> label_weights;             // [N], above 0, of each label's loss; empty: 1 each
  std::vector<int32_t> image_token_positions;   // where a picture's feature rows stand, in order
  std::vector<PicturePatches> images;
  int32_t next_position = 0;  // the position of the token after the last one, on every axis
};

/// XXH3 of a picture's patches and their shape: equal pictures have equal ones.
uint64_t fingerprint_of(const PicturePatches& picture);

/// XXH3 of what a model is shown and asked: tokens, answer positions, and the pictures by their fingerprints. Neither
/// the id nor the labels and their weights take part.
uint64_t fingerprint_of(const Sample& sample, const std::vector<uint64_t>& pictures);
uint64_t fingerprint_of(const Sample& sample);

/// Error when `sample` has more tokens than one of the two settings of these names allows.
void check_length(const Sample& sample, int64_t sample_tokens, int64_t batch_tokens);

/// Error when `prompt` has more than `most_tokens`, what the model's context and a cache have for one.
void check_prompt_length(const Sample& prompt, int64_t most_tokens);

}  // namespace vlsi
