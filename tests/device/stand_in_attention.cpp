// Attention over sequences of any lengths on the stand-in device, by its definition: what GPUs' kernels do.
// (T tokens, H query heads, K key heads, d head width, L a sequence's length)
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <torch/library.h>

#include <limits>
#include <vector>

#include "tests/device/stand_in_memory.h"

namespace vlsi::stand_in {
namespace {

/// The arguments that both directions have.
struct Sequences {
  std::vector<int32_t> starts;  // [B + 1]
  bool causal;

  Sequences(const at::Tensor& cumulative, int64_t longest, int64_t num_tokens, bool is_causal) : causal(is_causal) {
    TORCH_CHECK(cumulative.scalar_type() == at::kInt && cumulative.dim() == 1, "lengths are [B + 1] int32");
    const auto host = on_host(cumulative);
    starts.assign(host.const_data_ptr<int32_t>(), host.const_data_ptr<int32_t>() + host.numel());
    int64_t found = 0;
    for (size_t i = 0; i + 1 < starts.size(); ++i) found = std::max<int64_t>(found, starts[i + 1] - starts[i]);
    TORCH_CHECK(starts.front() == 0 && starts.back() == num_tokens && found == longest, "the sequences are others");
  }

  template <class Action>
  void each(const Action& action) const {
    for (size_t i = 0; i + 1 < starts.size(); ++i) action(starts[i], starts[i + 1] - starts[i]);
  }
};

at::Tensor wide(const at::Tensor& x) {
  TORCH_CHECK(x.is_privateuseone() && (x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16) &&
                  x.size(2) % 8 == 0 && x.stride(2) == 1,
              "no kernel takes such heads");
  return on_host(x).to(at::kFloat);
}

/// Rows of one sequence, heads first; those of key heads for each query head: [H, L, d].
at::Tensor heads_of(const at::Tensor& x, int64_t start, int64_t length, int64_t num_heads) {
  return x.narrow(0, start, length).repeat_interleave(num_heads / x.size(1), 1).transpose(0, 1);
}

at::Tensor probabilities(const at::Tensor& q, const at::Tensor& k, bool causal) {
  auto scores = at::matmul(q, k.transpose(1, 2)) / std::sqrt(static_cast<double>(q.size(2)));
  if (causal) {
    const auto future = at::ones({scores.size(1), scores.size(2)}, at::kBool).triu(1);
    scores = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
  }
  return scores.softmax(-1);
}

/// [H, L, d] of query heads, added up over those that share a key head, as [L, K, d].
at::Tensor by_key_head(const at::Tensor& x, int64_t num_key_heads) {
  return x.view({num_key_heads, -1, x.size(1), x.size(2)}).sum(1).transpose(0, 1);
}

/// (query, key, value, starts, starts, longest, longest, dropout, causal, ...)
void forward(const c10::OperatorHandle& operation, torch::jit::Stack* stack) {
  const size_t count = operation.schema().arguments().size();
  const auto arguments = torch::jit::last(*stack, count).vec();
  const auto given = arguments[0].toTensor();
  const auto q = wide(given), k = wide(arguments[1].toTensor()), v = wide(arguments[2].toTensor());
  const Sequences sequences(arguments[3].toTensor(), arguments[5].toInt(), q.size(0), arguments[8].toBool());
  const auto out = at::empty_like(q);
  sequences.each([&](int64_t start, int64_t length) {
    const auto heads = [&](const at::Tensor& x) { return heads_of(x, start, length, q.size(1)); };
    const auto p = probabilities(heads(q), heads(k), sequences.causal);
    out.narrow(0, start, length).copy_(at::matmul(p, heads(v)).transpose(0, 1));
  });
  torch::jit::drop(*stack, count);
  const auto nothing = at::empty({0}, given.options());
  torch::jit::push(*stack, to_device(out.to(given.scalar_type())), nothing, nothing, nothing, nothing);
}

/// (gradient, query, key, value, out, logsumexp, starts, starts, longest, longest, dropout, causal, ...)
void backward(const c10::OperatorHandle& operation, torch::jit::Stack* stack) {
  const size_t count = operation.schema().arguments().size();
  const auto arguments = torch::jit::last(*stack, count).vec();
  const auto dtype = arguments[1].toTensor().scalar_type();
  const auto g = wide(arguments[0].toTensor()), q = wide(arguments[1].toTensor()), k = wide(arguments[2].toTensor()),
             v = wide(arguments[3].toTensor()), out = wide(arguments[4].toTensor());
  const Sequences sequences(arguments[6].toTensor(), arguments[8].toInt(), q.size(0), arguments[11].toBool());
  const auto of_q = at::empty_like(q), of_k = at::empty_like(k), of_v = at::empty_like(v);
  sequences.each([&](int64_t start, int64_t length) {
    const auto heads = [&](const at::Tensor& x) { return heads_of(x, start, length, q.size(1)); };
    const auto p = probabilities(heads(q), heads(k), sequences.causal);
    const auto of_p = at::matmul(heads(g), heads(v).transpose(1, 2));
    const auto of_scores =
        p * (of_p - (heads(g) * heads(out)).sum(-1, /*keepdim=*/true)) / std::sqrt(static_cast<double>(q.size(2)));
    of_q.narrow(0, start, length).copy_(at::matmul(of_scores, heads(k)).transpose(0, 1));
    const auto keys = [&](const at::Tensor& x) { return by_key_head(x, k.size(1)); };
    of_k.narrow(0, start, length).copy_(keys(at::matmul(of_scores.transpose(1, 2), heads(q))));
    of_v.narrow(0, start, length).copy_(keys(at::matmul(p.transpose(1, 2), heads(g))));
  });
  torch::jit::drop(*stack, count);
  torch::jit::push(*stack, to_device(of_q.to(dtype)), to_device(of_k.to(dtype)), to_device(of_v.to(dtype)));
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("_flash_attention_forward", torch::CppFunction::makeFromBoxedFunction<&forward>());
  library.impl("_flash_attention_backward", torch::CppFunction::makeFromBoxedFunction<&backward>());
}

}  // namespace
}  // namespace vlsi::stand_in
