#include "teacher/sight.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "objective/cross_entropy.h"
#include "teacher/visual_advantage.h"

namespace vlsi {
namespace {

bool shows_something(const Batch& batch) {
  if (!batch.patches.defined() || !batch.patches.any().item<bool>()) return false;
  const auto &pictures = batch.image_token_positions, &answers = batch.answer_positions;
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const auto begin = batch.sequence_starts[i], end = batch.sequence_starts[i + 1];
    const auto inside = [&](const at::Tensor& places) {
      return places.masked_select(places.ge(begin) & places.lt(end));
    };
    const auto seen = inside(pictures), said = inside(answers);
    if (seen.numel() > 0 && said.numel() > 0 && seen.min().item<int64_t>() <= said.max().item<int64_t>()) return true;
  }
  return false;
}

}  // namespace

bool check_sight(const Vlm& model, const Batch& batch, const std::string& place) {
  if (!shows_something(batch)) return false;
  at::NoGradGuard no_grad;
  const auto seeing = to_device(batch, model.device());
  const Batch both[] = {seeing, blanked(seeing)};
  const auto hidden = model.forward(both, HiddenRequest{});
  if (!at::equal(hidden[0].final_rows, hidden[1].final_rows)) return true;
  const auto loss = cross_entropy(hidden[0].final_rows.unsqueeze(0), model.head(), seeing.labels).mean();
  fail(place, ": the teacher is blind: the loss of its answers is ", loss.item<double>(), " nats on the ",
       batch.num_answers(), " answer tokens of the first batch with pictures, and exactly the same with blanked ones; ",
       "expected another one: look at the weights of its tower and projector, or set teacher.check_sight: false");
}

}  // namespace vlsi
