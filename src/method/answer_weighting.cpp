#include "method/answer_weighting.h"

#include <ATen/ATen.h>

#include "method/answer_means.h"

namespace vlsi {
namespace {

constexpr double kLeastExponent = -20;  // keeps weights above zero: e^-20 of a nat's

/// Whether the record of each answer position has a picture. [N] bool
at::Tensor positions_with_pictures(const Batch& batch) {
  const auto pictures = batch.image_token_positions.to(at::kCPU);
  const auto starts = at::tensor(batch.sequence_starts, at::kLong);
  const auto has_picture = at::zeros({batch.num_samples()}, at::kBool);
  has_picture.index_fill_(0, at::searchsorted(starts, pictures, /*out_int32=*/false, /*right=*/true) - 1, true);
  const auto counts = at::tensor(batch.answer_starts, at::kLong).diff();
  return at::repeat_interleave(has_picture, counts).to(batch.tokens.device());
}

}  // namespace

at::Tensor advantage_weights(const at::Tensor& advantage, const Batch& batch, double strength) {
  const auto sees = positions_with_pictures(batch);
  const auto gains = at::softplus((advantage.to(at::kDouble) * strength).clamp_min(kLeastExponent));  // [N]
  const auto counted = weighted(sees.to(at::kDouble), batch);
  // Where no record has a picture, the quotient is read nowhere.
  return at::where(sees, gains * (counted.sum() / (counted * gains).sum()), at::ones_like(gains)).to(at::kFloat);
}

Batch weighed_by_advantage(Batch batch, const at::Tensor& advantage, double strength) {
  batch.label_weights = weighted(advantage_weights(advantage, batch, strength), batch);
  return batch;
}

}  // namespace vlsi
