#include "model/cpu/full_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/parallel.h"
#include "model/cpu/bf16_avx512.h"

namespace vlsi {
namespace {

constexpr int64_t kTileKeys = 256;     // a tile's logits, 48 KiB, stay in the second-level cache
constexpr int64_t kTaskPanels = 8;     // of queries that share what is packed of the values
constexpr float kMissingKey = -1e30F;  // of a key that is not there

/// One tensor's rows of one head: `stride` numbers between tokens.
struct HeadRows {
  const uint16_t* data;
  int64_t stride;
  HeadRows at(int64_t token) const { return {data + token * stride, stride}; }
};

HeadRows rows_of(const at::Tensor& x, int64_t token, int64_t head) {
  const auto* data = static_cast<const uint16_t*>(x.const_data_ptr());
  return {data + token * x.stride(0) + head * x.stride(1), x.stride(0)};
}

/// Queries [first, last) of one head of one sequence.
struct Task {
  int64_t start, length;  // the sequence
  int64_t head, first, last;
};

std::vector<Task> tasks_of(const std::vector<SequenceRun>& runs, int64_t num_heads) {
  std::vector<Task> tasks;
  constexpr int64_t kQueries = kTaskPanels * kPanelLanes;
  for (const auto& run : runs) {
    for (int64_t i = 0; i < run.count; ++i) {
      const int64_t start = run.start + i * run.length;
      for (int64_t head = 0; head < num_heads; ++head) {
        for (int64_t first = 0; first < run.length; first += kQueries) {
          tasks.push_back({start, run.length, head, first, std::min(first + kQueries, run.length)});
        }
      }
    }
  }
  return tasks;
}

/// What one thread needs, kept from task to task.
struct Workspace {
  std::vector<uint16_t> values, queries, probabilities, last_rows;
  std::vector<float> logits, sums;
};

/// The values of a sequence in the layout of pack_blocks, tile after tile of even length.
void pack_values(const HeadRows& v, int64_t length, int64_t width, Workspace& space) {
  const int64_t even = length + length % 2;
  space.values.resize(static_cast<size_t>(even * width));
  for (int64_t first = 0; first < length; first += kTileKeys) {
    const int64_t count = std::min(kTileKeys, length - first);
    uint16_t* to = space.values.data() + first * width;
    if (count % 2 == 0) {
      pack_blocks(v.at(first).data, count / 2, v.stride, 0, width, to);
      continue;
    }
    // A row of zeros makes pairs of an odd number of keys.
    space.last_rows.assign(static_cast<size_t>((count + 1) * width), 0);
    for (int64_t row = 0; row < count; ++row) {
      std::copy_n(v.at(first + row).data, width, space.last_rows.data() + row * width);
    }
    pack_blocks(space.last_rows.data(), (count + 1) / 2, width, 0, width, to);
  }
}

/// out [num_queries, width], `out_stride` numbers between rows, of a panel of queries.
void attend(const HeadRows& q, int64_t num_queries, const HeadRows& k, int64_t length, int64_t width, Workspace& space,
            uint16_t* out, int64_t out_stride) {
  const int64_t lanes = (num_queries + kVectorLanes - 1) / kVectorLanes * kVectorLanes;
  space.queries.resize(static_cast<size_t>(width * lanes));
  space.logits.resize(static_cast<size_t>(kTileKeys * lanes));
  space.probabilities.resize(static_cast<size_t>(kTileKeys * lanes));
  space.sums.assign(static_cast<size_t>(width * lanes), 0);
  pack_panel(q.data, num_queries, q.stride, width, lanes, space.queries.data());

  using Lanes = std::array<float, kPanelLanes>;
  Lanes maximum, sum{}, rounded_sum{}, weighted_sum{}, shrink, scale;
  maximum.fill(kNoMaximum);
  scale.fill(static_cast<float>(1 / std::sqrt(static_cast<double>(width))));
  for (int64_t first = 0; first < length; first += kTileKeys) {
    const int64_t count = std::min(kTileKeys, length - first), even = count + count % 2;
    float* z = space.logits.data();
    multiply_rows(k.at(first).data, k.stride, count, width / 2, space.queries.data(), lanes, z, lanes);
    scale_columns(z, count, lanes, scale.data());
    if (even > count) std::fill_n(z + count * lanes, lanes, kMissingKey);
    if (take_tile(z, even, lanes, {maximum.data(), sum.data(), rounded_sum.data(), weighted_sum.data()},
                  TileLayout::kPairs, space.probabilities.data(), shrink.data())) {
      scale_columns(space.sums.data(), width, lanes, shrink.data());
    }
    add_product_of_blocks(space.values.data() + first * width, width, even / 2, space.probabilities.data(), lanes,
                          space.sums.data());
  }
  for (int64_t query = 0; query < num_queries; ++query) {
    const float factor = 1 / rounded_sum[static_cast<size_t>(query)];
    auto* to = out + query * out_stride;
    for (int64_t i = 0; i < width; ++i) {
      to[i] = c10::BFloat16(space.sums[static_cast<size_t>(i * lanes + query)] * factor).x;
    }
  }
}

}  // namespace

bool has_full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  static const bool is_worth_it = has_avx512_bf16() && !has_amx_bf16();
  if (!is_worth_it) return false;
  const bool wants_gradient =
      at::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
  if (wants_gradient || q.size(1) != k.size(1) || q.size(2) % kBlockRows != 0) return false;
  const auto fits = [](const at::Tensor& x) {
    return x.is_cpu() && x.scalar_type() == at::kBFloat16 && x.stride(2) == 1;
  };
  return fits(q) && fits(k) && fits(v);
}

at::Tensor full_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const std::vector<SequenceRun>& runs) {
  const int64_t num_heads = q.size(1), width = q.size(2);
  const auto out = at::empty(q.sizes(), q.options());
  auto* const to = static_cast<uint16_t*>(out.mutable_data_ptr());
  const auto tasks = tasks_of(runs, num_heads);
  parallel_for(0, std::ssize(tasks), 1, [&](int64_t begin, int64_t end) {
    Workspace space;
    for (int64_t i = begin; i < end; ++i) {
      const auto& [start, length, head, first, last] = tasks[static_cast<size_t>(i)];
      const auto keys = rows_of(k, start, head);
      pack_values(rows_of(v, start, head), length, width, space);
      for (int64_t query = first; query < last; query += kPanelLanes) {
        attend(rows_of(q, start + query, head), std::min(kPanelLanes, last - query), keys, length, width, space,
               to + ((start + query) * num_heads + head) * width, num_heads * width);
      }
    }
  });
  return out;
}

}  // namespace vlsi
