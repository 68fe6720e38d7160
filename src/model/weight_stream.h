// Weights that are in memory part by part, while a forward pass needs them: from their mapped files, or from what other
// processes hold.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vlsi {

/// What a streamed model reads as one part: 0 is the vision tower with its projector, i + 1 decoder layer i. Nothing
/// for embeddings, final norm and head, which every pass needs throughout.
std::optional<size_t> streamed_part(const std::string& parameter_name);

/// Takes the file pages of `views`, tensors in mapped files, out of this process's memory; the next touch has them
/// back.
void release_pages(std::span<const at::Tensor> views);

/// A parameter of a model and the view of the mapped file that holds its values, of the same shape; or twice the view
/// that is used itself, whatever its dtype.
struct StoredWeight {
  at::Tensor parameter, stored;
};
using StoredParts = std::vector<std::vector<StoredWeight>>;

/// Where the values of a model's parts come from. What belongs to a part is done with it in this order.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  /// Brings the values near, from any thread; the parameters stay as they are.
  virtual void fetch(size_t part) = 0;
  /// The parameters have their values, in the dtype and on the device that forward passes want.
  virtual void show(size_t part) = 0;
  /// The parameters keep their shapes; their values cost no memory any more.
  virtual void let_go(size_t part) = 0;
  /// Of a part that is shown: the parameters `gone` have no values any more, and `views` of mapped files come near and
  /// go with the part in their place.
  virtual void replace(size_t part, std::span<const at::Tensor> gone, std::span<const at::Tensor> views) = 0;
  /// Whether fetch() is an exchange with other processes, which must fetch the same parts in the same order.
  virtual bool is_exchange() const = 0;
};

/// Weights in their files. Where the stored ones have the dtype and device of `options` they are read in place,
/// otherwise converted when they are shown.
std::unique_ptr<WeightSource> stored_weights(StoredParts parts, at::TensorOptions options);

/// The parts of one model. A part that nobody holds costs no memory. Used by one thread; another one, inside, reads
/// ahead.
class WeightStream {
 public:
  explicit WeightStream(std::unique_ptr<WeightSource> source) : source_(std::move(source)) {}

  /// Lets go of its part at the end of its scope.
  class Held {
   public:
    Held(WeightSource& source, size_t part) : source_(&source), part_(part) {}
    Held(Held&& other) noexcept : source_(std::exchange(other.source_, nullptr)), part_(other.part_) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (source_ != nullptr) source_->let_go(part_);
    }

   private:
    WeightSource* source_;
    size_t part_;
  };

  /// Part `part`, in memory; part `next`, if any, is fetched meanwhile.
  Held hold(size_t part, std::optional<size_t> next = std::nullopt);

  /// Of a part that is held now.
  void replace(size_t part, std::span<const at::Tensor> gone, std::span<const at::Tensor> views) {
    source_->replace(part, gone, views);
  }

  bool is_exchange() const { return source_->is_exchange(); }

 private:
  std::unique_ptr<WeightSource> source_;
  std::optional<size_t> coming_;  // the part that is being fetched ahead
  std::future<void> fetching_;    // of it; its end is waited for before source_ goes
};

}  // namespace vlsi
