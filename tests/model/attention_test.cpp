// Packed attention against the formula, one sequence and one head at a time in float64.
#include "model/attention.h"

#include <limits>

#include "model/cpu/full_attention.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;
using fixtures::random;

/// softmax(q kᵀ / √d) v, by definition.
at::Tensor naive_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const std::vector<int64_t>& starts, bool causal) {
  const int64_t group = q.size(1) / k.size(1);
  auto output = at::empty(q.sizes(), at::kDouble);
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    const int64_t start = starts[i], length = starts[i + 1] - start;
    for (int64_t head = 0; head < q.size(1); ++head) {
      const auto rows = [&](const at::Tensor& x, int64_t h) {
        return x.narrow(0, start, length).select(1, h).to(at::kDouble);
      };
      auto scores = at::mm(rows(q, head), rows(k, head / group).t()) / std::sqrt(static_cast<double>(q.size(2)));
      if (causal) {
        const auto future = at::ones({length, length}, at::kBool).triu(1);
        scores = scores.masked_fill(future, -std::numeric_limits<double>::infinity());
      }
      output.narrow(0, start, length).select(1, head).copy_(at::mm(scores.softmax(-1), rows(v, head / group)));
    }
  }
  return output;
}

struct Heads {
  int64_t query, key, width;
};

TEST(PackedAttention, EqualsTheFormulaForGroupedHeadsCausalAndNot) {
  const std::vector<int64_t> starts{0, 1, 4, 7, 10, 27, 30};
  for (const auto& [query, key, width] : {Heads{4, 4, 8}, {4, 2, 12}, {6, 1, 16}}) {
    for (const bool causal : {true, false}) {
      SCOPED_TRACE(concat(query, " heads over ", key, causal ? ", causal" : ""));
      const auto q = random({30, query, width}, 1), k = random({30, key, width}, 2), v = random({30, key, width}, 3);
      const auto found = packed_attention(q, k, v, find_runs(starts), causal);
      ASSERT_EQ(found.sizes(), q.sizes());
      // Averages of unit values in float32: a few units of rounding at 1e-7.
      EXPECT_LE(difference(found, naive_attention(q, k, v, starts, causal)), 2e-6);
      const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
      EXPECT_LE(difference(packed_attention(wide(q), wide(k), wide(v), find_runs(starts), causal),
                           naive_attention(q, k, v, starts, causal)),
                1e-13);
    }
  }
}

TEST(FullAttention, EqualsTheFormulaUpToRounding) {
  // One key, odd numbers of keys, a tile and its neighbours, a whole panel, several panels; runs of two and of one.
  const std::vector<int64_t> starts{0, 1, 4, 7, 71, 135, 391, 648, 1348};
  for (const int64_t width : {8, 72, 80}) {
    SCOPED_TRACE(width);
    const auto bf16 = [](const at::Tensor& x) { return x.to(at::kBFloat16); };
    const auto q = bf16(3 * random({1348, 3, width}, 1)), k = bf16(random({1348, 3, width}, 2));
    const auto v = bf16(random({1348, 3, 3, width}, 3)).select(1, 2);  // not contiguous, as a fused map gives it
    if (!has_full_attention(q, k, v)) GTEST_SKIP() << "this processor has no attention of its own";
    const auto expected = naive_attention(q, k, v, starts, /*causal=*/false);
    const auto found = full_attention(q, k, v, find_runs(starts));
    ASSERT_EQ(found.sizes(), q.sizes());
    // Probabilities and results are rounded to eight bits, 0.4 % of averages of unit values.
    EXPECT_LE(difference(found, expected), 0.03);
    EXPECT_LE((found.to(at::kDouble) - expected).abs().mean().item<double>(), 1e-3);
    EXPECT_TRUE(at::equal(packed_attention(q, k, v, find_runs(starts), /*causal=*/false), found));
  }
}

TEST(FullAttention, IsNotForGradientsMasksAndOtherTypes) {
  const auto q = random({4, 2, 8}, 1).to(at::kBFloat16);
  EXPECT_FALSE(has_full_attention(q.clone().set_requires_grad(true), q, q));
  EXPECT_FALSE(has_full_attention(q.to(at::kFloat), q.to(at::kFloat), q.to(at::kFloat)));
  EXPECT_FALSE(has_full_attention(q, q.narrow(1, 0, 1), q.narrow(1, 0, 1)));
  EXPECT_FALSE(has_full_attention(q.narrow(2, 0, 6), q.narrow(2, 0, 6), q.narrow(2, 0, 6)));
}

TEST(PackedAttention, HasTheFormulasGradients) {
  const std::vector<int64_t> starts{0, 3, 6, 17};
  const auto direction = random({17, 4, 8}, 9);
  const auto gradients = [&](auto attention) {
    std::vector<at::Tensor> leaves;
    for (const int64_t heads : {4, 2, 2}) {
      leaves.push_back(random({17, heads, 8}, 10 + leaves.size()).requires_grad_());
    }
    (attention(leaves) * direction).sum().backward();
    return std::vector<at::Tensor>{leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
  };
  const auto found =
      gradients([&](const auto& x) { return packed_attention(x[0], x[1], x[2], find_runs(starts), true); });
  const auto expected = gradients([&](const auto& x) { return naive_attention(x[0], x[1], x[2], starts, true); });
  for (size_t i = 0; i < 3; ++i) EXPECT_LE(difference(found[i], expected[i]), 1e-5);
}

TEST(PackedAttention, NeverCrossesSequences) {
  const std::vector<int64_t> starts{0, 5, 10, 15, 22};
  for (const bool causal : {true, false}) {
    for (size_t poisoned = 0; poisoned + 1 < starts.size(); ++poisoned) {
      const auto rows = [&](const at::Tensor& x, size_t i) {
        return x.narrow(0, starts[i], starts[i + 1] - starts[i]);
      };
      const auto q = random({22, 4, 8}, 1), k = random({22, 2, 8}, 2), v = random({22, 2, 8}, 3);
      const auto clean = packed_attention(q, k, v, find_runs(starts), causal);
      for (const auto& x : {q, k, v}) rows(x, poisoned).fill_(std::numeric_limits<float>::quiet_NaN());
      const auto found = packed_attention(q, k, v, find_runs(starts), causal);
      for (size_t i = 0; i + 1 < starts.size(); ++i) {
        if (i == poisoned) {
          EXPECT_TRUE(rows(found, i).isnan().all().item<bool>());
        } else {
          EXPECT_TRUE(at::equal(rows(found, i), rows(clean, i)));
        }
      }
    }
  }
}

TEST(PackedAttention, NeverLooksAhead) {
  const auto q = random({9, 2, 8}, 1), k = random({9, 2, 8}, 2), v = random({9, 2, 8}, 3);
  const auto before = packed_attention(q, k, v, {{0, 9, 1}}, true);
  k[6].fill_(5);
  v[6].fill_(-7);
  const auto after = packed_attention(q, k, v, {{0, 9, 1}}, true);
  EXPECT_TRUE(at::equal(before.narrow(0, 0, 6), after.narrow(0, 0, 6)));
  EXPECT_GT(difference(before[6], after[6]), 1e-3);
}

TEST(FindRuns, JoinsEquallyLongNeighboursOnly) {
  const auto runs = find_runs({0, 3, 6, 7, 10});
  ASSERT_EQ(runs.size(), 3U);
  const auto text = [](const SequenceRun& run) { return concat(run.start, "+", run.length, "x", run.count); };
  EXPECT_EQ(text(runs[0]), "0+3x2");
  EXPECT_EQ(text(runs[1]), "6+1x1");
  EXPECT_EQ(text(runs[2]), "7+3x1");
}

}  // namespace
}  // namespace vlsi
