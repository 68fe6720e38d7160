#include "method/step3_finetune.h"

#include <ATen/ATen.h>

#include "method/answer_means.h"
#include "objective/cross_entropy.h"
#include "objective/finite.h"

namespace vlsi {

StepOutput finetune(const Vlm& student, const Batch& batch, int32_t end_of_turn, PictureFeatures* pictures) {
  const auto rows = student.forward(batch, {{}, /*final_rows=*/true}, pictures).final_rows;  // [N, D]
  const auto losses = cross_entropy(rows.unsqueeze(0), student.head(), batch.labels)[0];     // [N]

  StepOutput output;
  check_finite(losses.unsqueeze(0), "loss", layer_names("student", {}, /*with_last=*/true), batch, output.checks);
  output.loss = weighted(losses, batch).sum();
  add_answer_means(output.means, "answer_loss", losses, batch, end_of_turn);
  return output;
}

}  // namespace vlsi
