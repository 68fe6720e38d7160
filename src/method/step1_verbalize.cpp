#include "method/step1_verbalize.h"

#include <ATen/ATen.h>

#include "method/answer_means.h"
#include "objective/cross_entropy.h"
#include "objective/finite.h"

namespace vlsi {

StepOutput verbalize(FrozenRows& backbone, const Verbalizers& verbalizers, const Batch& batch, int32_t end_of_turn) {
  const auto u = verbalizers.forward(backbone.read(batch).layers, batch);                // [t, N, D]
  const auto losses = cross_entropy(u, backbone.model().head().detach(), batch.labels);  // [t, N]

  StepOutput output;
  check_finite(losses, "loss", layer_names("verbalized", verbalizers.layers(), /*with_last=*/false), batch,
               output.checks);
  output.loss = weighted(losses, batch).sum();
  add_answer_means(output.means, "layer_loss", losses, batch, end_of_turn);
  return output;
}

}  // namespace vlsi
