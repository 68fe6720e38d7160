// A sample under construction: tokens, the weights of their losses, and positions, always of the same length.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/rotary_positions.h"
#include "data/sample.h"
#include "text/tokenizer.h"

namespace vlsi {

class SampleBuilder {
 public:
  SampleBuilder(const Tokenizer& tokenizer, int64_t num_axes, int32_t picture_token)
      : tokenizer_(tokenizer), picture_token_(picture_token), positions_(num_axes) {}

  /// `weight`: of the token's loss as a label; 0 for none.
  void add_control(int32_t token, double weight);

  /// Text between two control tokens. `weights`, of each of its bytes, or null for no labels: a token has the weight of
  /// its first byte, so that one that reaches over from a turn's header is no label, as the model is given the header.
  void add_text(std::string_view text, SpecialText special_text, const double* weights);

  /// `grid`: {frames, rows, columns} of the picture's tokens, where positions have three axes.
  void add_picture(PicturePatches patches, const std::array<int64_t, 3>& grid);

  Sample finish();

 private:
  const Tokenizer& tokenizer_;
  int32_t picture_token_;
  Sample sample_;
  std::vector<double> weights_;  // of each token
  RotaryPositions positions_;
};

}  // namespace vlsi
