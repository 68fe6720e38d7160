#include "model/weight_stream.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <charconv>

#include "base/mapped_file.h"

namespace vlsi {
namespace {

std::span<const std::byte> bytes_of(const at::Tensor& view) {
  return {static_cast<const std::byte*>(view.const_data_ptr()), view.nbytes()};
}

}  // namespace

std::optional<size_t> streamed_part(const std::string& parameter_name) {
  constexpr std::string_view kTower = "visual.", kLayers = "model.layers.";
  if (parameter_name.starts_with(kTower)) return 0;
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

WeightStream::WeightStream(std::vector<std::vector<StoredWeight>> parts, at::TensorOptions options)
    : parts_(std::move(parts)), options_(options) {
  for (const auto& part : parts_) {
    for (const auto& weight : part) weight.parameter.set_data(weight.stored);
  }
}

bool WeightStream::is_read_in_place(const at::Tensor& stored) const {
  return stored.scalar_type() == c10::typeMetaToScalarType(options_.dtype()) && options_.device().is_cpu();
}

WeightStream::Held WeightStream::hold(size_t part, std::optional<size_t> next) {
  const auto read = [this](size_t index) {
    for (const auto& weight : parts_[index]) read_now(bytes_of(weight.stored));
  };
  if (reading_.valid()) reading_.wait();
  if (coming_ != part) read(part);
  coming_ = next;
  if (next) reading_ = std::async(std::launch::async, read, *next);

  at::NoGradGuard no_grad;
  for (const auto& weight : parts_[part]) {
    if (is_read_in_place(weight.stored)) continue;
    weight.parameter.set_data(weight.stored.to(options_));
    release(bytes_of(weight.stored));
  }
  return {*this, part};
}

void WeightStream::let_go(size_t part) {
  for (const auto& weight : parts_[part]) {
    if (!is_read_in_place(weight.stored)) weight.parameter.set_data(weight.stored);
    release(bytes_of(weight.stored));
  }
}

}  // namespace vlsi
