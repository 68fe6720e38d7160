// LLaVA-OneVision's projector: features to rows, and a picture's rows in the order that the decoder reads.
// (P patches, E tower width, M picture tokens, D decoder's width)
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>

#include "family/llava_onevision/config.h"
#include "model/linear.h"
#include "model/vision.h"

namespace vlsi {

/// Two linear maps; then, of a picture, the rows of the whole, and those of its grid put together, without its padding,
/// reduced where they are too many (bilinear), each row of them with `image_newline` at its end. A picture that is one
/// view alone has one `image_newline`, behind it.
class LlavaOnevisionProjector : public Projector {
 public:
  explicit LlavaOnevisionProjector(const LlavaOnevisionConfig& config);

  /// Features [P, E] -> [M, D].
  PictureRows project(const at::Tensor& features, std::span<const PictureShape> pictures) const override;
  double patches_a_row() const override;
  Cost cost(double num_patches) const override;

 private:
  /// What the decoder reads of one picture, whose mapped features are rows [P, D].
  at::Tensor arrange(const at::Tensor& rows, const PictureShape& picture) const;

  LlavaOnevisionConfig config_;
  at::Tensor newline_;  // [D]
  std::shared_ptr<Linear> linear_1_, linear_2_;
};

}  // namespace vlsi
