#include "teacher/frozen_rows.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace vlsi {

void FrozenRows::prepare(const std::vector<Batch>& batches) {
  prepared_.clear();
  if (!model_->is_streamed()) return;
  at::NoGradGuard no_grad;
  std::vector<Batch> moved;
  for (const auto& batch : batches) moved.push_back(to_device(batch, model_->device()));
  auto rows = model_->forward(moved, request_, pictures_.get());
  for (size_t i = 0; i < rows.size(); ++i) prepared_.push_back({batches[i].sample_fingerprints, std::move(rows[i])});
}

Hidden FrozenRows::read(const Batch& batch) {
  if (prepared_.empty()) {
    at::NoGradGuard no_grad;
    return model_->forward(batch, request_, pictures_.get());
  }
  auto [samples, hidden] = std::move(prepared_.front());
  prepared_.pop_front();
  TORCH_CHECK(samples == batch.sample_fingerprints, "the rows of another batch were prepared");
  return hidden;
}

}  // namespace vlsi
