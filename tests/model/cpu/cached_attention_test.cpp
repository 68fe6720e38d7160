// Attention to cached tokens, by the kernels of every instruction set that the processor has: against the formula in
// float64, and a sequence alone against the sequence among others.
#include "model/cpu/cached_attention.h"

#include <numeric>

#include "base/error.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;
using fixtures::random;

struct HeadShape {
  int64_t query, key, width;
};

/// One key head a query head, groups beside a tile of heads, widths that end inside a vector of any size.
constexpr HeadShape kHeads[] = {{2, 2, 4}, {6, 2, 24}, {7, 1, 64}, {12, 2, 128}};

/// Sequences of these lengths, with their slots here and there in pools of keys and values.
struct Pool {
  Pool(const std::vector<int64_t>& lengths, const HeadShape& heads, at::ScalarType dtype) {
    int64_t num_blocks = 0;
    for (const int64_t length : lengths) num_blocks += (length + kBlockSlots - 1) / kBlockSlots;
    std::vector<int32_t> order(static_cast<size_t>(num_blocks));
    std::iota(order.begin(), order.end(), 1);  // block 0 is nobody's
    for (size_t i = 0; i + 2 < order.size(); i += 3) std::swap(order[i], order[order.size() - 1 - i / 2]);
    int64_t next = 0;
    for (const int64_t length : lengths) {
      const auto first = order.begin() + next;
      next += (length + kBlockSlots - 1) / kBlockSlots;
      blocks.emplace_back(first, order.begin() + next);
    }
    for (size_t i = 0; i < lengths.size(); ++i) spans.push_back({blocks[i].data(), lengths[i]});
    const auto slots = (num_blocks + 1) * kBlockSlots;
    k = random({slots, heads.key, heads.width}, 1).to(dtype);
    v = random({slots, heads.key, heads.width}, 2).to(dtype);
    q = random({std::ssize(lengths), heads.query, heads.width}, 3).to(dtype);
  }

  /// softmax(q kᵀ / √d) v, by definition.
  at::Tensor attended() const {
    auto out = at::empty(q.sizes(), at::kDouble);
    for (size_t i = 0; i < spans.size(); ++i) {
      std::vector<int64_t> slots;
      for (int64_t t = 0; t < spans[i].length; ++t)
        slots.push_back(blocks[i][t / kBlockSlots] * kBlockSlots + t % kBlockSlots);
      const auto at_slots = at::tensor(slots, at::kLong);
      for (int64_t head = 0; head < q.size(1); ++head) {
        const int64_t key_head = head / (q.size(1) / k.size(1));
        const auto rows = [&](const at::Tensor& pool) {
          return pool.select(1, key_head).index_select(0, at_slots).to(at::kDouble);
        };
        const auto row = q[static_cast<int64_t>(i)][head].to(at::kDouble) / std::sqrt(static_cast<double>(q.size(2)));
        out[static_cast<int64_t>(i)][head].copy_(at::mv(rows(v).t(), at::mv(rows(k), row).softmax(0)));
      }
    }
    return out;
  }

  std::vector<std::vector<int32_t>> blocks;
  std::vector<CachedSpan> spans;
  at::Tensor q, k, v;
};

/// One token, around a block, around a piece, several pieces.
const std::vector<int64_t> kLengths{1, 5, 16, 17, 255, 256, 257, 700};

TEST(CachedAttention, EqualsTheFormula) {
  for (const auto& kernels : available_kernels()) {
    for (const auto& heads : kHeads) {
      SCOPED_TRACE(concat(kernels.name, ": ", heads.query, " heads over ", heads.key, ", ", heads.width, " wide"));
      const Pool pool(kLengths, heads, at::kFloat);
      // Averages of values near 1 in float32, with logits up to 10: a few units of rounding at 1e-6.
      EXPECT_LE(difference(cached_attention(pool.q, pool.k, pool.v, pool.spans, kernels), pool.attended()), 4e-6);
      const Pool half(kLengths, heads, at::kBFloat16);
      const auto found = cached_attention(half.q, half.k, half.v, half.spans, kernels), expected = half.attended();
      ASSERT_EQ(found.scalar_type(), at::kBFloat16);
      // Only the result is rounded to bfloat16, by at most 2^-8 of itself.
      EXPECT_LE(((found.to(at::kDouble) - expected).abs() - expected.abs() / 256).max().item<double>(), 4e-6);
    }
  }
}

TEST(CachedAttention, IsTheSameBitForBitWhateverSequencesAreBeside) {
  for (const auto& kernels : available_kernels()) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      const Pool pool(kLengths, {6, 2, 24}, dtype);
      const auto together = cached_attention(pool.q, pool.k, pool.v, pool.spans, kernels);
      for (int64_t i = 0; i < std::ssize(kLengths); ++i) {
        const CachedSpan span[] = {pool.spans[static_cast<size_t>(i)]};
        const auto alone = cached_attention(pool.q.narrow(0, i, 1), pool.k, pool.v, span, kernels);
        ASSERT_TRUE(at::equal(alone, together.narrow(0, i, 1))) << kernels.name << ", sequence " << i;
      }
    }
  }
}

TEST(CachedAttention, ReadsNothingBehindTheLastToken) {
  const std::vector<int64_t> lengths{21};
  for (const auto& kernels : available_kernels()) {
    Pool pool(lengths, {2, 1, 24}, at::kFloat);
    const auto before = cached_attention(pool.q, pool.k, pool.v, pool.spans, kernels);
    const int64_t behind = pool.blocks[0][1] * kBlockSlots + 5;
    pool.k.narrow(0, behind, kBlockSlots - 5).fill_(std::nan(""));
    pool.v.narrow(0, behind, kBlockSlots - 5).fill_(std::nan(""));
    EXPECT_TRUE(at::equal(cached_attention(pool.q, pool.k, pool.v, pool.spans, kernels), before)) << kernels.name;
  }
}

TEST(CachedAttention, KeepsANanOfASequenceInIt) {
  const std::vector<int64_t> lengths{30, 30};
  for (const auto& kernels : available_kernels()) {
    Pool pool(lengths, {2, 1, 24}, at::kFloat);
    pool.k[pool.blocks[1][0] * kBlockSlots + 3].fill_(std::nan(""));
    const auto found = cached_attention(pool.q, pool.k, pool.v, pool.spans, kernels);
    EXPECT_FALSE(found[0].isnan().any().item<bool>()) << kernels.name;
    EXPECT_TRUE(found[1].isnan().all().item<bool>()) << kernels.name;
  }
}

TEST(CachedAttention, TakesPoolsThatAreSlicesOfALargerOne) {
  Pool pool({40, 3}, {4, 2, 16}, at::kBFloat16);
  const auto both = at::stack({pool.k, pool.v}, 1);  // [slots, 2, K, d]
  EXPECT_TRUE(at::equal(cached_attention(pool.q, both.select(1, 0), both.select(1, 1), pool.spans),
                        cached_attention(pool.q, pool.k, pool.v, pool.spans)));
}

TEST(CachedAttention, IsForOneDtypeOfTwoOnTheCpuWithoutGradients) {
  const auto q = random({1, 2, 8}, 1), k = random({16, 2, 8}, 2);
  EXPECT_TRUE(has_cached_attention(q, k));
  EXPECT_TRUE(has_cached_attention(q.to(at::kBFloat16), k.to(at::kBFloat16)));
  EXPECT_FALSE(has_cached_attention(q, k.to(at::kBFloat16)));
  EXPECT_FALSE(has_cached_attention(q.to(at::kDouble), k.to(at::kDouble)));
  EXPECT_FALSE(has_cached_attention(q.clone().set_requires_grad(true), k));
}

}  // namespace
}  // namespace vlsi
