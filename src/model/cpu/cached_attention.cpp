#include "model/cpu/cached_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"

namespace vlsi {
namespace {

/// Some tokens of one sequence, for the query heads of one key head.
struct PieceTask {
  int64_t sequence, key_head, first, last;
};

/// All pieces, those of a sequence and key head in the order of its tokens.
void list_pieces(std::span<const CachedSpan> sequences, int64_t num_key_heads, std::vector<PieceTask>& tasks) {
  tasks.clear();
  for (int64_t sequence = 0; sequence < std::ssize(sequences); ++sequence) {
    const int64_t length = sequences[static_cast<size_t>(sequence)].length;
    TORCH_CHECK(length > 0, "a sequence without tokens attends to nothing");
    for (int64_t head = 0; head < num_key_heads; ++head) {
      for (int64_t first = 0; first < length; first += kPieceTokens) {
        tasks.push_back({sequence, head, first, std::min(first + kPieceTokens, length)});
      }
    }
  }
}

/// A row of query heads in float32, scaled, with zeros up to the padded width.
void scale_queries(const at::Tensor& q, int64_t sequence, int64_t first_head, const AttentionPiece& piece, float* to) {
  const float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(piece.width)));
  const int64_t from = (sequence * q.size(1) + first_head) * piece.width;
  const auto copy = [&](const auto* numbers) {
    for (int64_t head = 0; head < piece.num_heads; ++head) {
      float* row = to + head * piece.padded_width;
      for (int64_t i = 0; i < piece.width; ++i) {
        row[i] = static_cast<float>(numbers[from + head * piece.width + i]) * scale;
      }
      std::fill(row + piece.width, row + piece.padded_width, 0.0F);
    }
  };
  if (q.scalar_type() == at::kFloat) {
    copy(q.const_data_ptr<float>());
  } else {
    copy(q.const_data_ptr<c10::BFloat16>());
  }
}

/// What the pieces of all tasks leave: [tasks, heads of a key head] maxima and totals, [..., padded width] sums.
struct Partial {
  std::vector<float> maximum, total, sums;
};

/// out [d] of one query head from its pieces, in their order.
template <class Number>
void merge_pieces(const Partial& partial, int64_t first, int64_t last, int64_t head, const AttentionPiece& shape,
                  std::vector<float>& sums, Number* out) {
  const auto at = [&](int64_t task) { return static_cast<size_t>(task * shape.num_heads + head); };
  float maximum = partial.maximum[at(first)], total = 0;
  for (int64_t task = first + 1; task < last; ++task) maximum = std::max(maximum, partial.maximum[at(task)]);
  sums.assign(static_cast<size_t>(shape.width), 0);
  for (int64_t task = first; task < last; ++task) {
    const float factor = std::exp(partial.maximum[at(task)] - maximum);
    const float* from = partial.sums.data() + at(task) * static_cast<size_t>(shape.padded_width);
    total += factor * partial.total[at(task)];
    for (int64_t i = 0; i < shape.width; ++i) sums[static_cast<size_t>(i)] += factor * from[i];
  }
  for (int64_t i = 0; i < shape.width; ++i) out[i] = static_cast<Number>(sums[static_cast<size_t>(i)] / total);
}

/// The pieces that belong together are neighbours: out [B, H, d].
void merge_all(const std::vector<PieceTask>& tasks, const Partial& partial, const AttentionPiece& shape,
               const at::Tensor& out) {
  thread_local std::vector<float> sums;
  for (int64_t first = 0, last = 0; first < std::ssize(tasks); first = last) {
    const auto& task = tasks[static_cast<size_t>(first)];
    last = first + 1;
    while (last < std::ssize(tasks) && tasks[static_cast<size_t>(last)].first > 0) ++last;
    for (int64_t head = 0; head < shape.num_heads; ++head) {
      const int64_t to = (task.sequence * out.size(1) + task.key_head * shape.num_heads + head) * shape.width;
      if (out.scalar_type() == at::kFloat) {
        merge_pieces(partial, first, last, head, shape, sums, out.mutable_data_ptr<float>() + to);
      } else {
        merge_pieces(partial, first, last, head, shape, sums, out.mutable_data_ptr<c10::BFloat16>() + to);
      }
    }
  }
}

const void* head_of_first_slot(const at::Tensor& pool, int64_t key_head) {
  return static_cast<const char*>(pool.const_data_ptr()) + key_head * pool.stride(1) * pool.element_size();
}

}  // namespace

bool has_cached_attention(const at::Tensor& q, const at::Tensor& k) {
  const auto dtype = q.scalar_type();
  const bool wants_gradient = at::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad());
  return q.is_cpu() && k.is_cpu() && k.scalar_type() == dtype && (dtype == at::kFloat || dtype == at::kBFloat16) &&
         !wants_gradient;
}

at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            std::span<const CachedSpan> sequences) {
  return cached_attention(q, k, v, sequences, best_kernels());
}

at::Tensor cached_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            std::span<const CachedSpan> sequences, const CpuKernels& kernels) {
  TORCH_CHECK(q.size(0) == std::ssize(sequences) && q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2) &&
                  k.sizes() == v.sizes() && k.stride(2) == 1 && v.stride(2) == 1 && v.scalar_type() == k.scalar_type(),
              "queries of ", q.sizes(), " beside keys of ", k.sizes(), " and values of ", v.sizes());
  const auto queries = q.contiguous();
  const auto out = at::empty(q.sizes(), q.options());
  AttentionPiece shape{};
  shape.num_heads = q.size(1) / k.size(1);
  shape.width = q.size(2);
  shape.padded_width = (shape.width + kBlockSlots - 1) / kBlockSlots * kBlockSlots;
  shape.k_stride = k.stride(0);
  shape.v_stride = v.stride(0);
  const auto attend = k.scalar_type() == at::kFloat ? kernels.attend_float32 : kernels.attend_bfloat16;

  // Kept from call to call, as they are as large each time.
  thread_local std::vector<PieceTask> tasks;
  thread_local Partial partial;
  list_pieces(sequences, k.size(1), tasks);
  const size_t num_heads = tasks.size() * static_cast<size_t>(shape.num_heads);
  partial.maximum.resize(num_heads);
  partial.total.resize(num_heads);
  partial.sums.resize(num_heads * static_cast<size_t>(shape.padded_width));
  parallel_for(0, std::ssize(tasks), 1, [&, &tasks = tasks, &partial = partial](int64_t begin, int64_t end) {
    thread_local std::vector<float> workspace;
    const int64_t query_numbers = shape.num_heads * shape.padded_width;
    workspace.resize(static_cast<size_t>(query_numbers + shape.num_heads * kPieceTokens));
    for (int64_t i = begin; i < end; ++i) {
      const auto& task = tasks[static_cast<size_t>(i)];
      scale_queries(queries, task.sequence, task.key_head * shape.num_heads, shape, workspace.data());
      auto piece = shape;
      piece.q = workspace.data();
      piece.logits = workspace.data() + query_numbers;
      piece.k = head_of_first_slot(k, task.key_head);
      piece.v = head_of_first_slot(v, task.key_head);
      piece.blocks = sequences[static_cast<size_t>(task.sequence)].blocks + task.first / kBlockSlots;
      piece.num_tokens = task.last - task.first;
      piece.maximum = partial.maximum.data() + i * shape.num_heads;
      piece.total = partial.total.data() + i * shape.num_heads;
      piece.sums = partial.sums.data() + i * query_numbers;
      attend(piece);
    }
  });
  merge_all(tasks, partial, shape, out);
  return out;
}

}  // namespace vlsi
