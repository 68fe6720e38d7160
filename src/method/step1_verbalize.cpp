#include "method/step1_verbalize.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "method/answer_words.h"
#include "method/finite.h"
#include "objective/cross_entropy.h"

namespace vlsi {
namespace {

/// Hidden rows of the target layers, without gradient: the backbone is frozen. [t, N, D], or [t, T, D] for attention.
at::Tensor frozen_rows(const Vlm& backbone, const Verbalizers& verbalizers, const Batch& batch) {
  at::NoGradGuard no_grad;
  return backbone.forward(batch, verbalizers.request(/*final_rows=*/false)).layers;
}

}  // namespace

StepOutput verbalize(const Vlm& backbone, const Verbalizers& verbalizers, const Batch& batch, int32_t end_of_turn) {
  const auto u = verbalizers.forward(frozen_rows(backbone, verbalizers, batch), batch);  // [t, N, D]
  const auto losses = cross_entropy(u, backbone.head().detach(), batch.labels);          // [t, N]
  check_finite(losses, "loss", layer_names("verbalized", verbalizers.layers(), /*with_last=*/false), batch);

  StepOutput output;
  output.loss = losses.sum();
  add_answer_means(output.means, "layer_loss", losses, batch.labels, end_of_turn);
  return output;
}

}  // namespace vlsi
