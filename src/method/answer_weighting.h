// How much each answer position counts in step 2. (N answer positions)
#pragma once

#include <ATen/core/Tensor.h>

#include "base/words.h"
#include "data/batch.h"

namespace vlsi {

enum class WeightingKind { kNone, kVisualAdvantage };

template <>
struct EnumNames<WeightingKind> {
  static constexpr EnumName<WeightingKind> all[]{
      {"none", WeightingKind::kNone, "every position alike"},
      {"visual_advantage", WeightingKind::kVisualAdvantage, "by how much its pictures help the teacher"}};
};

struct WeightingConfig {
  WeightingKind kind = WeightingKind::kNone;
  double strength = 1;  // 0 or more

  /// Without strength all positions are alike.
  bool is_on() const { return kind != WeightingKind::kNone && strength > 0; }
};

/// Weights from the visual advantage A [N], nats: of the positions of records with pictures
///     softplus(max(strength A, -20)) / their mean
/// where the mean is by the labels' own weights, and 1 of the other records' positions. So the mean over a micro-batch
/// is 1, too. [N] f32
at::Tensor advantage_weights(const at::Tensor& advantage, const Batch& batch, double strength);

/// The batch with its labels' weights multiplied by advantage_weights.
Batch weighed_by_advantage(Batch batch, const at::Tensor& advantage, double strength);

}  // namespace vlsi
