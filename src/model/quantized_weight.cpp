#include "model/quantized_weight.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "model/cpu/cpu_kernels.h"

namespace vlsi {
namespace {

constexpr int64_t kHalf = kGroupWidth / 2;

int64_t groups_of(int64_t in_features) { return (in_features + kGroupWidth - 1) / kGroupWidth; }

/// Where the numbers of a group's half stand: number 16 i + l at 4 l + i.
template <class Visit>
inline void for_each_place(const Visit& visit) {
  for (int64_t lane = 0; lane < kGroupLanes; ++lane) {
    for (int64_t i = 0; i < 4; ++i) visit(4 * lane + i, kGroupLanes * i + lane);
  }
}

/// Rows of numbers in float32, zeros behind the width.
void read_row(const at::Tensor& weight, int64_t row, std::vector<float>& to) {
  const int64_t width = weight.size(1), from = row * weight.stride(0);
  if (weight.scalar_type() == at::kFloat) {
    std::copy_n(weight.const_data_ptr<float>() + from, width, to.data());
  } else {
    const auto* numbers = weight.const_data_ptr<c10::BFloat16>() + from;
    for (int64_t i = 0; i < width; ++i) to[static_cast<size_t>(i)] = static_cast<float>(numbers[i]);
  }
}

/// Nearest integer, of numbers below 2^22.
inline float nearest(float x) { return (x + 12582912.0F) - 12582912.0F; }

void quantize_row(const float* row, int64_t num_groups, uint8_t* bytes, float& scale) {
  float largest = 0;
  for (int64_t i = 0; i < num_groups * kGroupWidth; ++i) largest = std::max(largest, std::abs(row[i]));
  scale = largest / 127;
  const float factor = scale > 0 ? 1 / scale : 0;
  for (int64_t half = 0; half < 2 * num_groups; ++half, row += kHalf, bytes += kHalf) {
    for_each_place([&](int64_t to, int64_t from) {
      bytes[to] = static_cast<uint8_t>(static_cast<int>(nearest(row[from] * factor)) + 128);
    });
  }
}

/// q of a group at one scale, from 0 to 15, and the squared error.
float quantize_group(const float* row, float scale, float (&q)[kGroupWidth]) {
  const float factor = 1 / scale;
  float error = 0;
  for (int64_t i = 0; i < kGroupWidth; ++i) {
    q[i] = std::min(std::max(nearest(row[i] * factor) + 8, 0.0F), 15.0F);
    const float difference = row[i] - scale * (q[i] - 8);
    error += difference * difference;
  }
  return error;
}

void quantize_group(const float* row, uint8_t* pairs, c10::BFloat16& scale) {
  float lowest = 0, highest = 0;
  for (int64_t i = 0; i < kGroupWidth; ++i) {
    lowest = std::min(lowest, row[i]);
    highest = std::max(highest, row[i]);
  }
  const float extreme = highest > -lowest ? highest : lowest;  // the number that is farthest from zero
  float best[kGroupWidth], q[kGroupWidth], smallest_error = INFINITY;
  std::fill_n(best, kGroupWidth, 8.0F);
  scale = 0;
  // The farthest number at -8, where there is one step more, or a little outside of what can be said.
  for (const float steps : {-8.0F, -8.75F, -9.5F}) {
    const auto candidate = static_cast<c10::BFloat16>(extreme / steps);
    if (static_cast<float>(candidate) == 0) continue;
    const float error = quantize_group(row, static_cast<float>(candidate), q);
    if (error >= smallest_error) continue;
    smallest_error = error;
    scale = candidate;
    std::copy_n(q, kGroupWidth, best);
  }
  for_each_place([&](int64_t to, int64_t from) {
    pairs[to] = static_cast<uint8_t>(static_cast<int>(best[from]) | static_cast<int>(best[kHalf + from]) << 4);
  });
}

/// Numbers of one group in the order of the inputs.
void read_group(const QuantizedWeight& weight, int64_t row, int64_t group, float (&to)[kGroupWidth]) {
  const int64_t index = row * weight.num_groups() + group;
  if (weight.kind == Quantization::kInt8) {
    const auto* bytes = weight.values.const_data_ptr<uint8_t>() + index * kGroupWidth;
    const float scale = weight.scale.const_data_ptr<float>()[row];
    for (int64_t half = 0; half < 2; ++half) {
      for_each_place([&](int64_t from, int64_t place) {
        to[half * kHalf + place] = scale * static_cast<float>(int{bytes[half * kHalf + from]} - 128);
      });
    }
    return;
  }
  const auto* pairs = weight.values.const_data_ptr<uint8_t>() + index * kHalf;
  const float scale = static_cast<float>(weight.scale.const_data_ptr<c10::BFloat16>()[index]);
  for_each_place([&](int64_t from, int64_t place) {
    to[place] = scale * static_cast<float>((pairs[from] & 15) - 8);
    to[kHalf + place] = scale * static_cast<float>((pairs[from] >> 4) - 8);
  });
}

template <class Number>
void dequantize_rows(const QuantizedWeight& weight, int64_t first, int64_t last, Number* to) {
  float numbers[kGroupWidth];
  for (int64_t row = first; row < last; ++row, to += weight.in_features) {
    for (int64_t group = 0; group < weight.num_groups(); ++group) {
      read_group(weight, row, group, numbers);
      const int64_t from = group * kGroupWidth, count = std::min(kGroupWidth, weight.in_features - from);
      for (int64_t i = 0; i < count; ++i) to[from + i] = static_cast<Number>(numbers[i]);
    }
  }
}

}  // namespace

int64_t QuantizedWeight::num_bytes() const { return static_cast<int64_t>(values.nbytes() + scale.nbytes()); }

at::Tensor QuantizedWeight::dequantized(at::ScalarType dtype, int64_t first, int64_t last) const {
  const auto out = at::empty({last - first, in_features}, values.options().dtype(dtype));
  parallel_for(first, last, 16, [&](int64_t begin, int64_t end) {
    const int64_t to = (begin - first) * in_features;
    if (dtype == at::kFloat) {
      dequantize_rows(*this, begin, end, out.mutable_data_ptr<float>() + to);
    } else {
      dequantize_rows(*this, begin, end, out.mutable_data_ptr<c10::BFloat16>() + to);
    }
  });
  return out;
}

QuantizedWeight quantize_weight(const at::Tensor& weight, Quantization kind) {
  TORCH_CHECK(weight.dim() == 2 && weight.is_cpu() && weight.stride(1) == 1 && kind != Quantization::kNone,
              "no weight of a linear map on the CPU");
  const int64_t num_outputs = weight.size(0), num_groups = groups_of(weight.size(1));
  const bool is_int8 = kind == Quantization::kInt8;
  QuantizedWeight made{
      kind, weight.size(1), at::empty({num_outputs, num_groups, is_int8 ? kGroupWidth : kHalf}, at::kByte),
      is_int8 ? at::empty({num_outputs}, at::kFloat) : at::empty({num_outputs, num_groups}, at::kBFloat16)};
  parallel_for(0, num_outputs, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<size_t>(num_groups * kGroupWidth), 0);
    for (int64_t output = begin; output < end; ++output) {
      read_row(weight, output, row);
      auto* bytes = made.values.mutable_data_ptr<uint8_t>() + output * made.values.stride(0);
      if (is_int8) {
        quantize_row(row.data(), num_groups, bytes, made.scale.mutable_data_ptr<float>()[output]);
        continue;
      }
      auto* scales = made.scale.mutable_data_ptr<c10::BFloat16>() + output * num_groups;
      for (int64_t group = 0; group < num_groups; ++group) {
        quantize_group(row.data() + group * kGroupWidth, bytes + group * kHalf, scales[group]);
      }
    }
  });
  return made;
}

int64_t quantized_bytes(int64_t out_features, int64_t in_features, Quantization kind) {
  const int64_t num_groups = groups_of(in_features);
  return kind == Quantization::kInt8 ? out_features * (num_groups * kGroupWidth + 4)
                                     : out_features * num_groups * (kHalf + 2);
}

at::Tensor without_values(const at::Tensor& parameter) {
  const at::Storage nothing(at::Storage::use_byte_size_t(), 0, at::DataPtr(nullptr, parameter.device()),
                            /*allocator=*/nullptr, /*resizable=*/false);
  auto empty = at::detail::make_tensor<at::TensorImpl>(at::Storage(nothing), parameter.key_set(), parameter.dtype());
  empty.unsafeGetTensorImpl()->set_sizes_contiguous(parameter.sizes());
  return empty;
}

bool has_values(const at::Tensor& parameter) { return parameter.unsafeGetTensorImpl()->storage_initialized(); }

}  // namespace vlsi
