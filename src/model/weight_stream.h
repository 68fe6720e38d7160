// Weights that stay in their mapped files and are in memory part by part, while a forward pass needs them.
#pragma once

#include <ATen/core/Tensor.h>

#include <future>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vlsi {

/// What a streamed model reads as one part: 0 is the vision tower with its merger, i + 1 decoder layer i. Nothing for embeddings,
/// final norm and head, which every pass needs throughout.
std::optional<size_t> streamed_part(const std::string& parameter_name);

/// Takes the file pages of `views`, tensors in mapped files, out of this process's memory; the next touch has them back.
void release_pages(std::span<const at::Tensor> views);

/// A parameter of a model and the view of the mapped file that holds its values, of the same shape.
struct StoredWeight {
  at::Tensor parameter, stored;
};

/// The parts of one model. A part that nobody holds costs no memory: its parameters are the views of the file. Used by one
/// thread; another one, inside, reads ahead.
class WeightStream {
 public:
  /// `options`: dtype and device that forward passes want the weights in. Where the stored ones have them they are read in place,
  /// otherwise converted when their part is held.
  WeightStream(std::vector<std::vector<StoredWeight>> parts, at::TensorOptions options);

  /// Lets go of its part at the end of its scope.
  class Held {
   public:
    Held(WeightStream& stream, size_t part) : stream_(&stream), part_(part) {}
    Held(Held&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)), part_(other.part_) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (stream_ != nullptr) stream_->let_go(part_);
    }

   private:
    WeightStream* stream_;
    size_t part_;
  };

  /// Part `part`, in memory and in the wanted dtype and device; part `next`, if any, is read meanwhile.
  Held hold(size_t part, std::optional<size_t> next = std::nullopt);

  size_t num_parts() const { return parts_.size(); }

 private:
  void let_go(size_t part);
  bool is_read_in_place(const at::Tensor& stored) const;

  std::vector<std::vector<StoredWeight>> parts_;
  const at::TensorOptions options_;
  std::optional<size_t> coming_;    // the part that is being read ahead
  std::future<void> reading_;       // of it
};

}  // namespace vlsi
