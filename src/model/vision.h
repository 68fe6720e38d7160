// What every family gives for its pictures: a tower and a projector. (P patches, E features' width, M picture tokens,
// D decoder's width)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/sample.h"
#include "model/cost.h"
#include "model/module.h"

namespace vlsi {

/// Pictures to features. What it makes of a picture does not depend on the pictures beside it.
class VisionTower : public Module {
 public:
  /// patches [P, C] f32 of pictures with these shapes, one after another -> features, P or another number of rows [_,
  /// E].
  virtual at::Tensor encode(const at::Tensor& patches, std::span<const PictureShape> pictures) const = 0;

  virtual int64_t patch_values() const = 0;   // C
  virtual int64_t feature_width() const = 0;  // E
  /// All that `encode` depends on beside the weights, in words.
  virtual std::string settings_text() const = 0;
  /// Of encoding pictures of so many patches in all, of which the largest has `largest`.
  virtual Cost cost(double num_patches, double largest) const = 0;
};

/// What the decoder reads of pictures.
struct PictureRows {
  at::Tensor rows;                // [M, D], in the place of the picture tokens' embeddings
  std::vector<at::Tensor> added;  // [M, D] each, added at their places after the layers of rows_added_after
};

/// Features to rows of the decoder's width.
class Projector : public Module {
 public:
  virtual PictureRows project(const at::Tensor& features, std::span<const PictureShape> pictures) const = 0;

  /// Patches that a picture token stands for.
  virtual double patches_a_row() const = 0;
  virtual Cost cost(double num_patches) const = 0;
};

/// Remembers what a frozen tower made of pictures. Threads may share it.
class PictureFeatures {
 public:
  virtual ~PictureFeatures() = default;

  /// Of the picture with this fingerprint: remembered, or encoded now by `tower`, the same one at every call.
  virtual at::Tensor of(const VisionTower& tower, uint64_t fingerprint, const at::Tensor& patches,
                        const PictureShape& picture) = 0;
};

}  // namespace vlsi
