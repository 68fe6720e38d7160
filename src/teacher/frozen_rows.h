// Hidden rows of a frozen model, micro-batch by micro-batch; of a streamed one for all micro-batches of an iteration at
// once.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "data/batch.h"
#include "model/vlm.h"

namespace vlsi {

class FrozenRows {
 public:
  /// `pictures`, which may be null, remembers what the model's tower makes of them.
  FrozenRows(std::shared_ptr<const Vlm> model, HiddenRequest request,
             std::shared_ptr<PictureFeatures> pictures = nullptr)
      : model_(std::move(model)), request_(std::move(request)), pictures_(std::move(pictures)) {}

  /// Runs a streamed model over all of `batches`, any device, so that its weights are read once for them; `read` must
  /// then be asked for them in this order. What an earlier call left is dropped. Nothing happens for a resident model.
  void prepare(const std::vector<Batch>& batches);

  /// The rows of `batch`, on the model's device, without gradient: prepared ones, which are given out once, or computed
  /// now.
  Hidden read(const Batch& batch);

  const Vlm& model() const { return *model_; }

 private:
  struct Prepared {
    std::vector<uint64_t> sample_fingerprints;
    Hidden hidden;
  };
  std::shared_ptr<const Vlm> model_;
  const HiddenRequest request_;
  const std::shared_ptr<PictureFeatures> pictures_;
  std::deque<Prepared> prepared_;
};

}  // namespace vlsi
