#include "model/varied_attention.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>

#include "base/send.h"

namespace vlsi {
namespace {

bool has_kernel(c10::DispatchKey device) {
  static const auto operation = c10::Dispatcher::singleton().findSchemaOrThrow("aten::_flash_attention_forward", "");
  return operation.hasKernelForDispatchKey(device);
}

}  // namespace

bool has_varied_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  constexpr int64_t kWidest = 256, kMultiple = 8;
  const auto dtype = q.scalar_type();
  return !q.is_cpu() && (dtype == at::kHalf || dtype == at::kBFloat16) && k.scalar_type() == dtype &&
         v.scalar_type() == dtype && q.size(2) <= kWidest && q.size(2) % kMultiple == 0 &&
         has_kernel(c10::legacyExtractDispatchKey(q.key_set()));
}

at::Tensor varied_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::vector<SequenceRun>& runs, bool causal) {
  std::vector<int32_t> starts{0};  // [B + 1]
  int64_t longest = 0;
  for (const auto& run : runs) {
    longest = std::max(longest, run.length);
    for (int64_t i = 0; i < run.count; ++i) starts.push_back(starts.back() + static_cast<int32_t>(run.length));
  }
  const auto there = send(at::tensor(starts, at::kInt), q.device());
  return std::get<0>(at::_flash_attention_forward(q, k, v, there, there, longest, longest, /*dropout_p=*/0.0, causal,
                                                  /*return_debug_mask=*/false));
}

}  // namespace vlsi
