#include "model/weight_stream.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <charconv>

#include "base/mapped_file.h"
#include "base/send.h"

namespace vlsi {
namespace {

std::span<const std::byte> bytes_of(const at::Tensor& view) {
  return {static_cast<const std::byte*>(view.const_data_ptr()), view.nbytes()};
}

class StoredWeights : public WeightSource {
 public:
  StoredWeights(StoredParts parts, at::TensorOptions options)
      : parts_(std::move(parts)), options_(options), on_their_way_(parts_.size()) {
    for (const auto& part : parts_) {
      for (const auto& weight : part) weight.parameter.set_data(weight.stored);
    }
  }

  void fetch(size_t part) override {
    for (const auto& weight : parts_[part]) read_now(bytes_of(weight.stored));
    if (!options_.device().is_cpu()) upload(part);
  }

  void show(size_t part) override {
    at::NoGradGuard no_grad;
    auto copies = on_their_way_[part] ? on_their_way_[part]->receive() : std::vector<at::Tensor>();
    on_their_way_[part].reset();
    for (size_t i = 0; i < parts_[part].size(); ++i) {
      const auto& weight = parts_[part][i];
      if (is_read_in_place(weight)) continue;
      weight.parameter.set_data(copies.empty() ? weight.stored.to(options_) : copies[i]);
      release(bytes_of(weight.stored));
    }
  }

  void let_go(size_t part) override {
    for (const auto& weight : parts_[part]) {
      if (!is_read_in_place(weight)) weight.parameter.set_data(weight.stored);
      release(bytes_of(weight.stored));
    }
  }

  void replace(size_t part, std::span<const at::Tensor> gone, std::span<const at::Tensor> views) override {
    std::erase_if(parts_[part], [&](const StoredWeight& weight) {
      const bool goes = std::ranges::any_of(gone, [&](const auto& one) { return one.is_same(weight.parameter); });
      if (goes) release(bytes_of(weight.stored));
      return goes;
    });
    for (const auto& view : views) parts_[part].push_back({view, view});
  }

  bool is_exchange() const override { return false; }

 private:
  /// Starts copying what is not read in place to the device.
  void upload(size_t part) {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> tensors;
    for (const auto& weight : parts_[part]) {
      tensors.push_back(is_read_in_place(weight) ? at::Tensor()
                                                 : weight.stored.to(c10::typeMetaToScalarType(options_.dtype())));
    }
    on_their_way_[part].emplace(tensors, options_.device());
  }

  bool is_read_in_place(const StoredWeight& weight) const {
    const auto& stored = weight.stored;
    return weight.parameter.is_same(stored) ||
           (stored.scalar_type() == c10::typeMetaToScalarType(options_.dtype()) && options_.device().is_cpu());
  }

  StoredParts parts_;
  const at::TensorOptions options_;
  std::vector<std::optional<Upload>> on_their_way_;  // of the parts that were fetched to another device
};

}  // namespace

std::optional<size_t> streamed_part(const std::string& parameter_name) {
  constexpr std::string_view kLayers = "decoder.layers.";
  if (parameter_name.starts_with("vision.") || parameter_name.starts_with("projector.")) return 0;
  if (!parameter_name.starts_with(kLayers)) return std::nullopt;
  size_t layer = 0;
  const char* end = parameter_name.data() + parameter_name.size();
  const auto parsed = std::from_chars(parameter_name.data() + kLayers.size(), end, layer);
  TORCH_CHECK(parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '.', "no layer in ", parameter_name);
  return layer + 1;
}

void release_pages(std::span<const at::Tensor> views) {
  for (const auto& view : views) release(bytes_of(view));
}

std::unique_ptr<WeightSource> stored_weights(StoredParts parts, at::TensorOptions options) {
  return std::make_unique<StoredWeights>(std::move(parts), options);
}

WeightStream::Held WeightStream::hold(size_t part, std::optional<size_t> next) {
  if (fetching_.valid()) fetching_.get();
  if (coming_ != part) source_->fetch(part);
  coming_ = next;
  if (next) fetching_ = std::async(std::launch::async, [this, index = *next] { source_->fetch(index); });
  source_->show(part);
  return {*source_, part};
}

}  // namespace vlsi
