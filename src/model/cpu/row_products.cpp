#include "model/cpu/row_products.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parallel.h"

namespace vlsi {
namespace {

constexpr int64_t kThreadBytes = 64 * 1024;  // of a weight, that are worth another thread
constexpr int64_t kBlockOutputs = 32;        // of a thread's share, so that threads share no line of y

/// Activations as the kernels of a map read them.
struct PreparedRows {
  at::Tensor tensor;  // keeps `data`
  const void* data;
  int64_t stride;
};

PreparedRows plain_rows(const at::Tensor& x, at::ScalarType dtype) {
  auto rows = x.to(dtype).contiguous();
  const void* data = rows.const_data_ptr();
  return {std::move(rows), data, x.size(1)};
}

/// In memory that is kept from call to call.
PreparedRows quantized_rows(const at::Tensor& x, const QuantizedWeight& weight) {
  thread_local std::vector<QuantizedGroup> groups;
  const auto rows = x.to(at::kFloat).contiguous();
  groups.resize(static_cast<size_t>(x.size(0) * weight.num_groups()));
  const int32_t offset = weight.kind == Quantization::kInt8 ? 128 : 8;
  constexpr int64_t kThreadNumbers = 32 * 1024;
  parallel_for(0, x.size(0), std::max<int64_t>(1, kThreadNumbers / x.size(1)),
               [&, to = groups.data()](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   quantize_activations(rows.const_data_ptr<float>() + row * x.size(1), x.size(1), offset,
                                        to + row * weight.num_groups());
                 }
               });
  return {{}, groups.data(), weight.num_groups()};
}

bool is_bfloat16(const at::Tensor& tensor) { return tensor.defined() && tensor.scalar_type() == at::kBFloat16; }

RowOperands operands_of(const RowMap& map, const PreparedRows& rows, const at::Tensor& y) {
  RowOperands operands{};
  operands.x = rows.data;
  operands.x_stride = rows.stride;
  operands.num_rows = y.size(0);
  if (map.quantized != nullptr) {
    const auto& weight = *map.quantized;
    operands.weight = weight.values.const_data_ptr();
    operands.weight_stride = weight.values.stride(0);
    operands.width = weight.num_groups();
    if (weight.kind == Quantization::kInt8) {
      operands.channel_scale = weight.scale.const_data_ptr<float>();
    } else {
      operands.group_scale = static_cast<const uint16_t*>(weight.scale.const_data_ptr());
    }
  } else {
    operands.weight = map.weight.const_data_ptr();
    operands.weight_stride = map.weight.stride(0) * map.weight.element_size();
    operands.width = map.weight.size(1);
  }
  if (map.bias.defined()) operands.bias = map.bias.const_data_ptr();
  operands.bias_is_bfloat16 = is_bfloat16(map.bias);
  operands.y = y.mutable_data_ptr();
  operands.y_stride = y.size(1);
  operands.y_is_bfloat16 = is_bfloat16(y);
  return operands;
}

/// One map's part of the loop over all maps' blocks of outputs.
struct MapShare {
  RowKernel kernel;
  RowOperands operands;
  int64_t num_outputs, first_block, end_block;
};

RowKernel kernel_of(const RowMap& map, const CpuKernels& kernels) {
  if (map.quantized != nullptr) return map.quantized->kind == Quantization::kInt8 ? kernels.int8 : kernels.int4;
  return map.weight.scalar_type() == at::kFloat ? kernels.float32 : kernels.bfloat16;
}

void multiply_in_parallel(std::span<const MapShare> shares) {
  const int64_t block_bytes = kBlockOutputs * shares.front().operands.weight_stride;
  parallel_for_taken(
      0, shares.back().end_block, std::max<int64_t>(1, kThreadBytes / block_bytes), [&](int64_t begin, int64_t end) {
        for (const auto& share : shares) {
          const int64_t first = std::max(begin, share.first_block), last = std::min(end, share.end_block);
          if (first >= last) continue;
          share.kernel(share.operands, (first - share.first_block) * kBlockOutputs,
                       std::min((last - share.first_block) * kBlockOutputs, share.num_outputs));
        }
      });
}

int64_t outputs_of(const RowMap& map) {
  return map.quantized != nullptr ? map.quantized->out_features() : map.weight.size(0);
}

int64_t inputs_of(const RowMap& map) {
  return map.quantized != nullptr ? map.quantized->in_features : map.weight.size(1);
}

}  // namespace

bool has_row_products(const at::Tensor& x, const RowMap& map) {
  const auto dtype = x.scalar_type();
  if (!x.is_cpu() || (dtype != at::kFloat && dtype != at::kBFloat16)) return false;
  if (x.numel() > kMaxProductRows * x.size(-1)) return false;
  const bool wants_gradient = at::GradMode::is_enabled();
  if (wants_gradient && x.requires_grad()) return false;
  if (map.quantized != nullptr) return true;
  return map.weight.is_cpu() && map.weight.scalar_type() == dtype && map.weight.stride(1) == 1 &&
         !(wants_gradient && map.weight.requires_grad());
}

std::vector<at::Tensor> row_products(const at::Tensor& x, std::span<const RowMap> maps, at::ScalarType dtype,
                                     const CpuKernels& kernels) {
  const auto& first = maps.front();
  const bool widens = first.quantized == nullptr && !(is_bfloat16(first.weight) && kernels.bfloat16_reads_bfloat16);
  const auto rows = first.quantized != nullptr ? quantized_rows(x, *first.quantized)
                                               : plain_rows(x, widens ? at::kFloat : at::kBFloat16);
  std::vector<at::Tensor> outputs;
  std::vector<MapShare> shares;
  int64_t next_block = 0;
  for (const auto& map : maps) {
    TORCH_CHECK(x.dim() == 2 && x.size(1) == inputs_of(map) &&
                    (map.quantized == nullptr) == (first.quantized == nullptr) &&
                    (map.quantized == nullptr || map.quantized->kind == first.quantized->kind),
                "rows of ", x.sizes(), " times a weight of ", inputs_of(map), " inputs");
    outputs.push_back(at::empty({x.size(0), outputs_of(map)}, x.options().dtype(dtype)));
    const int64_t end_block = next_block + (outputs_of(map) + kBlockOutputs - 1) / kBlockOutputs;
    shares.push_back(
        {kernel_of(map, kernels), operands_of(map, rows, outputs.back()), outputs_of(map), next_block, end_block});
    next_block = end_block;
  }
  multiply_in_parallel(shares);
  return outputs;
}

at::Tensor row_products(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType dtype,
                        const CpuKernels& kernels) {
  return row_products(x, {weight, nullptr, bias}, dtype, kernels);
}

at::Tensor row_products(const at::Tensor& x, const RowMap& map, at::ScalarType dtype, const CpuKernels& kernels) {
  return row_products(x, {&map, 1}, dtype, kernels).front();
}

void quantize_activations(const float* x, int64_t in_features, int32_t weight_offset, QuantizedGroup* groups) {
  constexpr int64_t kParts = kGroupWidth / kGroupLanes;  // numbers of a lane
  for (int64_t from = 0; from < in_features; from += kGroupWidth, ++groups) {
    float padded[kGroupWidth] = {};
    const float* numbers = x + from;
    if (in_features - from < kGroupWidth) {
      std::copy_n(numbers, in_features - from, padded);
      numbers = padded;
    }
    float largest[kGroupLanes] = {}, factor[kGroupLanes], poison[kGroupLanes] = {};
    uint32_t words[2][kGroupLanes] = {};
    int32_t sums[kGroupLanes] = {};
    for (int64_t part = 0; part < kParts; ++part) {
#pragma omp simd
      for (int64_t lane = 0; lane < kGroupLanes; ++lane) {
        const float number = numbers[part * kGroupLanes + lane];
        largest[lane] = std::max(largest[lane], std::fabs(number));
        poison[lane] += 0 * number;  // NaN where the number is NaN or infinite, and so is the scale
      }
    }
#pragma omp simd
    for (int64_t lane = 0; lane < kGroupLanes; ++lane) {
      groups->scale[lane] = largest[lane] / 127 + poison[lane];
      factor[lane] = largest[lane] > 0 ? 127 / largest[lane] : 0;
    }
    for (int64_t part = 0; part < kParts; ++part) {
#pragma omp simd
      for (int64_t lane = 0; lane < kGroupLanes; ++lane) {
        // Near 1.5 · 2^23 the nearest whole number is in the low bits.
        const float shifted = numbers[part * kGroupLanes + lane] * factor[lane] + 12582912.0F;
        uint32_t bits;
        std::memcpy(&bits, &shifted, sizeof(bits));
        sums[lane] += static_cast<int8_t>(bits & 255);
        words[part / 4][lane] |= (bits & 255) << (8 * (part % 4));
      }
    }
    std::memcpy(groups->values, words, sizeof(words));
    for (int64_t lane = 0; lane < kGroupLanes; ++lane) groups->offset[lane] = -weight_offset * sums[lane];
  }
}

}  // namespace vlsi
