#include "data/unpack.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace vlsi {
namespace {

/// Values first ... end - 1 of an int64 tensor, less `offset`.
std::vector<int32_t> taken(const at::Tensor& values, int64_t first, int64_t end, int64_t offset = 0) {
  std::vector<int32_t> result(static_cast<size_t>(end - first));
  const auto* source = values.const_data_ptr<int64_t>() + first;
  std::transform(source, source + (end - first), result.begin(),
                 [&](int64_t value) { return static_cast<int32_t>(value - offset); });
  return result;
}

/// The samples of a batch as one model is shown it, one after the other.
class Unpacker {
 public:
  explicit Unpacker(const Batch& batch) : batch_(batch) {}

  Sample next() {
    const int64_t start = batch_.sequence_starts[index_], end = batch_.sequence_starts[index_ + 1];
    const int64_t first = batch_.answer_starts[index_], last = batch_.answer_starts[index_ + 1];
    Sample sample;
    sample.id = batch_.ids[index_];
    sample.next_position = batch_.next_positions[index_];
    sample.tokens = taken(batch_.tokens, start, end);
    for (int64_t axis = 0; axis < batch_.positions.size(0); ++axis)
      sample.positions.push_back(taken(batch_.positions[axis], start, end));
    sample.answer_positions = taken(batch_.answer_positions, first, last, start);
    if (batch_.labels.numel() > 0) sample.labels = taken(batch_.labels, first, last);
    if (batch_.label_weights.defined()) {
      const auto* weights = batch_.label_weights.const_data_ptr<float>();
      sample.label_weights.assign(weights + first, weights + last);
    }
    take_pictures(sample, start, end);
    ++index_;
    return sample;
  }

 private:
  void take_pictures(Sample& sample, int64_t start, int64_t end) {
    const auto* places = batch_.image_token_positions.const_data_ptr<int64_t>();
    const int64_t first = image_token_;
    while (image_token_ < batch_.image_token_positions.numel() && places[image_token_] < end) ++image_token_;
    sample.image_token_positions = taken(batch_.image_token_positions, first, image_token_, start);
    for (int64_t rows = image_token_ - first; rows > 0; ++picture_) {
      const auto& shape = batch_.pictures[picture_];
      sample.images.push_back({batch_.patches.narrow(0, patch_, shape.num_patches), shape});
      patch_ += shape.num_patches;
      rows -= shape.num_rows;
    }
  }

  const Batch& batch_;
  size_t index_ = 0, picture_ = 0;
  int64_t image_token_ = 0, patch_ = 0;
};

}  // namespace

std::vector<SamplePair> unpack_pairs(const Batch& batch) {
  std::vector<SamplePair> pairs;
  Unpacker own(batch), teachers(batch.for_teacher());
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    pairs.push_back({own.next(), std::nullopt});
    if (batch.teachers) pairs.back().teachers = teachers.next();
  }
  return pairs;
}

}  // namespace vlsi
