#include "model/attention.h"

#include <ATen/ATen.h>

#include "model/cpu/full_attention.h"
#include "model/varied_attention.h"

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
  if (!causal && has_full_attention(q, k, v)) return full_attention(q, k, v, runs);
  if (has_varied_attention(q, k, v)) return varied_attention(q, k, v, runs, causal);
  const int64_t head_dim = q.size(2);
  const bool grouped = q.size(1) != k.size(1);
  std::vector<int64_t> sizes;
  for (const auto& run : runs) sizes.push_back(run.length * run.count);
  // Cut once: the gradient of all the pieces is one joining, that of a slice a whole tensor of its own.
  const auto q_runs = q.split_with_sizes(sizes), k_runs = k.split_with_sizes(sizes), v_runs = v.split_with_sizes(sizes);
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto& run = runs[i];
    const auto heads_first = [&](const at::Tensor& x) {
      return x.view({run.count, run.length, x.size(1), head_dim}).transpose(1, 2);
    };
    const auto attended =
        at::scaled_dot_product_attention(heads_first(q_runs[i]), heads_first(k_runs[i]), heads_first(v_runs[i]), {},
                                         0.0, causal, std::nullopt, grouped);  // [count, H, length, d]
    outputs.push_back(attended.transpose(1, 2).reshape({sizes[i], q.size(1), head_dim}));
  }
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs);
}

}  // namespace vlsi
