#include "method/teacher.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace vlsi {

at::Tensor verbal_rows(const Vlm& model, const Verbalizers* verbalizers, const Batch& batch) {
  const auto hidden = model.forward(batch, verbalizers != nullptr ? verbalizers->request(/*final_rows=*/true) : HiddenRequest{});
  const auto last = hidden.final_rows.unsqueeze(0);
  if (verbalizers == nullptr) return last;
  const auto verbal = verbalizers->forward(hidden.layers, batch);
  return at::cat({verbal, last.to(verbal.scalar_type())});
}

Teacher live_teacher(std::shared_ptr<const Vlm> model, std::shared_ptr<const Verbalizers> verbalizers,
                     std::shared_ptr<const Vlm> student) {
  const auto summarize = [=](const Batch& batch) {
    at::NoGradGuard no_grad;
    return summarize_teacher(verbal_rows(*model, verbalizers.get(), batch), model->head(), student->head());
  };
  return {summarize, verbalizers ? verbalizers->layers() : std::vector<int64_t>{}, model->head().size(0)};
}

}  // namespace vlsi
