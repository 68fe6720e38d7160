#include "method/step1_verbalize.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "method/answer_words.h"
#include "objective/cross_entropy.h"

namespace vlsi {
namespace {

/// Hidden rows of the target layers, without gradient: the backbone is frozen. [t, N, D]
at::Tensor frozen_rows(const Vlm& backbone, const std::vector<int64_t>& layers, const Batch& batch) {
  at::NoGradGuard no_grad;
  return backbone.forward(batch, {layers, /*final_rows=*/false}).layers;
}

}  // namespace

StepOutput verbalize(const Vlm& backbone, const Verbalizers& verbalizers, const Batch& batch, int32_t end_of_turn) {
  const auto hidden = frozen_rows(backbone, verbalizers.layers(), batch);                                   // [t, N, D]
  const auto losses = cross_entropy(verbalizers.forward(hidden), backbone.head().detach(), batch.labels);  // [t, N]

  StepOutput output;
  output.loss = losses.sum();
  add_answer_means(output.means, "layer_loss", losses, batch.labels, end_of_turn);
  return output;
}

}  // namespace vlsi
