// One conversation as the model family wants it: tokens, positions, pictures. (T tokens, N answer positions)
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vlsi {

/// A picture's patches: t frames of h x w patches, before merging.
struct ImageGrid {
  int64_t t = 1, h = 0, w = 0;
  int64_t num_patches() const { return t * h * w; }
};

struct ImagePatches {
  at::Tensor rows;  // [t*h*w, channels * temporal_patch * patch * patch] f32, in the family's patch order
  ImageGrid grid;
};

struct Sample {
  std::string id, category;
  std::vector<int32_t> tokens;                    // [T]
  std::array<std::vector<int32_t>, 3> positions;  // [3][T], the time, height and width axes of M-RoPE
  std::vector<int32_t> answer_positions;          // [N], where the *next* token belongs to an answer
  std::vector<int32_t> labels;                    // [N], those next tokens
  std::vector<int32_t> image_token_positions;     // where a picture's feature rows stand, in order
  std::vector<ImagePatches> images;
  int32_t next_position = 0;  // the position of the token after the last one, on every axis
};

/// XXH3 of a picture's patches and their grid: equal pictures have equal ones.
uint64_t fingerprint_of(const ImagePatches& image);

/// XXH3 of what a model is shown and asked: tokens, answer positions, and the pictures by their fingerprints. Neither
/// the id nor the labels take part.
uint64_t fingerprint_of(const Sample& sample, const std::vector<uint64_t>& pictures);
uint64_t fingerprint_of(const Sample& sample);

/// Error when `sample` has more tokens than one of the two settings of these names allows.
void check_length(const Sample& sample, int64_t sample_tokens, int64_t batch_tokens);

}  // namespace vlsi
