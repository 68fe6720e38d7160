#include "teacher/visual_advantage.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "objective/cross_entropy.h"

namespace vlsi {
namespace {

/// Rows of a micro-batch as the model sees it and as it does not.
class SeeingAndBlank {
 public:
  SeeingAndBlank(std::function<VerbalRows(const Batch&)> read, std::shared_ptr<const Vlm> model)
      : read_(std::move(read)), blank_(std::make_shared<FrozenRows>(std::move(model), HiddenRequest{})) {}

  VerbalRows operator()(const Batch& batch) const {
    at::NoGradGuard no_grad;
    auto rows = read_(batch);
    const auto& shown = batch.for_teacher();
    const auto& model = blank_->model();
    // The processes of a sharded model run in step, whatever their batches show.
    if (shown.patches.defined() || model.is_streamed()) {
      rows.advantage =
          visual_advantage(rows.last[0], blank_->read(blanked(shown)).final_rows, model.head(), shown.labels);
    } else {
      rows.advantage = at::zeros({batch.num_answers()}, rows.last.options().dtype(at::kFloat));
    }
    return rows;
  }

  void prepare(const std::vector<Batch>& batches) const {
    std::vector<Batch> blank;
    for (const auto& batch : batches) blank.push_back(blanked(batch.for_teacher()));
    blank_->prepare(blank);
  }

 private:
  std::function<VerbalRows(const Batch&)> read_;
  std::shared_ptr<FrozenRows> blank_;  // without a memory of pictures: it would take them for the real ones
};

}  // namespace

Batch blanked(Batch batch) {
  if (batch.patches.defined()) batch.patches = at::zeros_like(batch.patches);
  return batch;
}

at::Tensor visual_advantage(const at::Tensor& rows, const at::Tensor& blank_rows, const at::Tensor& head,
                            const at::Tensor& labels) {
  at::NoGradGuard no_grad;
  const auto losses = cross_entropy(at::stack({rows, blank_rows}), head.detach(), labels);  // [2, N]
  return (losses[1] - losses[0]).to(at::kFloat);
}

Teacher with_visual_advantage(const Teacher& teacher, std::shared_ptr<const Vlm> model,
                              std::shared_ptr<const Vlm> student) {
  TORCH_CHECK(teacher.running, "a visual advantage is a live teacher's");
  const auto read = SeeingAndBlank(teacher.running->read, std::move(model));
  const auto head = teacher.running->head;
  auto weighing = teacher;
  weighing.running->read = read;
  weighing.summarize = [=](const Batch& batch) {
    at::NoGradGuard no_grad;
    const auto rows = read(batch);
    auto summary = summarize_teacher(joined(rows), head, student->head());
    summary.advantage = rows.advantage;
    return summary;
  };
  weighing.prepare = [=, first = teacher.prepare](const std::vector<Batch>& batches) {
    if (first) first(batches);
    read.prepare(batches);
  };
  return weighing;
}

}  // namespace vlsi
