#include "teacher/teacher.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "objective/finite.h"
#include "objective/self_check.h"

namespace vlsi {

namespace {

HiddenRequest request_of(const Verbalizers* verbalizers) {
  return verbalizers != nullptr ? verbalizers->request(/*final_rows=*/true) : HiddenRequest{};
}

VerbalRows verbalized(const Hidden& hidden, const Verbalizers* verbalizers, const Batch& batch) {
  const auto layers = verbalizers != nullptr ? verbalizers->forward(hidden.layers, batch) : at::Tensor();
  return {layers, hidden.final_rows.unsqueeze(0)};
}

}  // namespace

VerbalRows read_layers(const Vlm& model, const Verbalizers* verbalizers, const Batch& batch,
                       PictureFeatures* pictures) {
  return verbalized(model.forward(batch, request_of(verbalizers), pictures), verbalizers, batch);
}

at::Tensor joined(const VerbalRows& rows) {
  return rows.layers.defined() ? at::cat({rows.layers, rows.last.to(rows.layers.scalar_type())}) : rows.last;
}

at::Tensor verbal_rows(const Vlm& model, const Verbalizers* verbalizers, const Batch& batch,
                       PictureFeatures* pictures) {
  return joined(read_layers(model, verbalizers, batch, pictures));
}

void check_objective(const Vlm& model, const Verbalizers* verbalizers, const at::Tensor& rows, const std::string& whose,
                     const Batch& batch, PictureFeatures* pictures) {
  at::NoGradGuard no_grad;
  const int64_t num_rows = std::min(model.head().size(0), rows.size(0));
  check_head_summary(verbal_rows(model, verbalizers, batch, pictures), model.head().narrow(0, 0, num_rows),
                     rows.narrow(0, 0, num_rows),
                     layer_names(whose, verbalizers != nullptr ? verbalizers->layers() : std::vector<int64_t>{},
                                 /*with_last=*/true));
}

Teacher live_teacher(std::shared_ptr<const Vlm> model, std::shared_ptr<const Verbalizers> verbalizers,
                     std::shared_ptr<const Vlm> student, int64_t shared_ids,
                     std::shared_ptr<PictureFeatures> pictures) {
  const auto rows = std::make_shared<FrozenRows>(model, request_of(verbalizers.get()), std::move(pictures));
  const int64_t shared_rows = std::min({model->head().size(0), student->head().size(0), shared_ids});
  const auto head = [=] { return model->head().narrow(0, 0, shared_rows); };
  const auto read = [=](const Batch& batch) {
    at::NoGradGuard no_grad;
    const auto& shown = batch.for_teacher();
    return verbalized(rows->read(shown), verbalizers.get(), shown);
  };
  const auto summarize = [=](const Batch& batch) {
    at::NoGradGuard no_grad;
    return summarize_teacher(joined(read(batch)), head(), student->head());
  };
  const auto prepare = [rows](const std::vector<Batch>& batches) {
    std::vector<Batch> shown;
    for (const auto& batch : batches) shown.push_back(batch.for_teacher());
    rows->prepare(shown);
  };
  return {summarize,        verbalizers ? verbalizers->layers() : std::vector<int64_t>{},
          shared_rows,      RunningTeacher{read, head().detach()},
          prepare,
          /*read_ahead=*/{}};
}

}  // namespace vlsi
