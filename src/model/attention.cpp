#include "model/attention.h"

#include <ATen/ATen.h>

namespace vlsi {

std::vector<SequenceRun> find_runs(const std::vector<int64_t>& starts) {
  std::vector<SequenceRun> runs;
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    const int64_t length = starts[i + 1] - starts[i];
    if (!runs.empty() && runs.back().length == length) {
      ++runs.back().count;
    } else {
      runs.push_back({starts[i], length, 1});
    }
  }
  return runs;
}

at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::vector<SequenceRun>& runs, bool causal) {
  const int64_t head_dim = q.size(2);
  const bool grouped = q.size(1) != k.size(1);
  std::vector<at::Tensor> outputs;
  outputs.reserve(runs.size());
  for (const auto& [start, length, count] : runs) {
    const auto heads_first = [&, start = start, length = length, count = count](const at::Tensor& x) {
      return x.narrow(0, start, length * count).view({count, length, x.size(1), head_dim}).transpose(1, 2);
    };
    const auto attended = at::scaled_dot_product_attention(heads_first(q), heads_first(k), heads_first(v), {}, 0.0, causal,
                                                           std::nullopt, grouped);  // [count, H, length, d]
    outputs.push_back(attended.transpose(1, 2).reshape({length * count, q.size(1), head_dim}));
  }
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs);
}

}  // namespace vlsi
