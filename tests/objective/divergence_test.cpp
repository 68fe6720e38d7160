// Divergences of last layers against their definitions, in values and in gradients.
#include "objective/divergence.h"

#include <ATen/ATen.h>

#include "objective/verbal_kl.h"
#include "tests/objective/layer_pairs.h"
#include "tests/support/peak_bytes.h"

namespace vlsi {
namespace {

namespace divergence_test {

/// The deepest layers of LayerPairs over the rows that they share.
struct LastLayers {
  explicit LastLayers(at::ScalarType dtype, int64_t student_rows = 64, int64_t teacher_rows = 80)
      : pair(student_rows, teacher_rows, dtype) {
    const int64_t num_rows = std::min(student_rows, teacher_rows);
    rows = {pair.u[1].clone().requires_grad_(true), pair.head.narrow(0, 0, num_rows), pair.u_teacher[2].clone(),
            pair.teacher_head.narrow(0, 0, num_rows)};
  }

  at::Tensor losses(const Divergence& divergence) const { return divergence.losses(rows, config); }
  at::Tensor plain(const Divergence& divergence) const {
    const auto log_probabilities = [](const at::Tensor& u, const at::Tensor& head) {
      return at::log_softmax(at::mm(u.to(at::kDouble), head.to(at::kDouble).t()), -1);
    };
    return divergence.plain(log_probabilities(rows.u_teacher, rows.teacher_head), log_probabilities(rows.u, rows.head),
                            config);
  }

  LayerPairs pair;
  LastRows rows;
  DivergenceConfig config{.jsd_beta = 0.3, .skew_alpha = 0.2, .top_k = 7};
};

at::Tensor position_weights() { return random_tensor({5}, 6, at::kDouble); }

const Divergence& find_divergence(const char* name) { return *divergences().find(name); }

std::string name_of_entry(const testing::TestParamInfo<const Divergence*>& info) { return info.param->name; }

std::vector<const Divergence*> every_divergence() {
  std::vector<const Divergence*> all;
  for (const auto& entry : divergences()) all.push_back(&entry);
  return all;
}

}  // namespace divergence_test

using namespace divergence_test;

class EveryDivergence : public testing::TestWithParam<const Divergence*> {};

TEST_P(EveryDivergence, HasTheDefinitionsValuesAndGradients) {
  // 2,500 rows are more than two tiles, the last of them not whole.
  for (const auto& [student_rows, teacher_rows] :
       {std::pair<int64_t, int64_t>(64, 64), {64, 80}, {80, 64}, {2500, 2600}}) {
    const LastLayers last(at::kDouble, student_rows, teacher_rows);
    const auto losses = last.losses(*GetParam()), plain = last.plain(*GetParam());
    EXPECT_EQ(losses.sizes(), at::IntArrayRef({5}));
    // Both are sums of up to a few thousand float64 terms of size one.
    EXPECT_LT(distance(losses, plain), 1e-12);
    EXPECT_LT(distance(gradient_of(last.rows.u, position_weights() * losses),
                       gradient_of(last.rows.u, position_weights() * plain)),
              1e-12);
  }
}

TEST_P(EveryDivergence, HasTheGradientOfFiniteDifferences) {
  const LastLayers last(at::kDouble);
  // Central differences err by the step squared, and by float64's rounding divided by the step.
  expect_gradient_of_differences(
      last.rows.u, [&] { return position_weights() * last.losses(*GetParam()); }, 1e-5, 1e-8);
}

class MixedDivergence : public EveryDivergence {};  // a teacher that is cut is another model

TEST_P(MixedDivergence, OfAModelToItselfIsZeroWithoutGradient) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto head = random_tensor({1500, 16}, 2, dtype) / 2,
               u = random_tensor({6, 16}, 1, dtype).requires_grad_(true);
    const auto losses = GetParam()->losses({u, head, u.detach(), head}, {});
    // Sums of 1,500 terms, each the rounding of a log-probability of size ten times its probability.
    const double tolerance = dtype == at::kFloat ? 1e-5 : 1e-13;
    EXPECT_LT(losses.abs().max().item<double>(), tolerance);
    EXPECT_LT(gradient_of(u, losses).abs().max().item<double>(), tolerance);
  }
}

TEST_P(EveryDivergence, GivesTheStudentsRowsAloneAGradient) {
  LastLayers last(at::kFloat);
  for (auto* fixed : {&last.rows.head, &last.rows.u_teacher, &last.rows.teacher_head}) {
    *fixed = fixed->detach().clone().requires_grad_(true);
  }
  last.losses(*GetParam()).sum().backward();
  EXPECT_TRUE(last.rows.u.grad().defined());
  for (const auto* fixed : {&last.rows.head, &last.rows.u_teacher, &last.rows.teacher_head}) {
    EXPECT_FALSE(fixed->grad().defined());
  }
}

TEST_P(EveryDivergence, ComputesBfloat16RowsInFloat32) {
  const LastLayers last(at::kBFloat16);
  const auto losses = last.losses(*GetParam());
  EXPECT_EQ(losses.scalar_type(), at::kFloat);
  // The logits are exact products of bfloat16 numbers with float32 sums of 20 terms of size one; only the student's own
  // expected row, which the value of top_k_kl does not read, comes from rounded probabilities.
  EXPECT_LT(distance(losses, last.plain(*GetParam())), 1e-5);
  const auto gradient = gradient_of(last.rows.u, losses);
  EXPECT_EQ(gradient.scalar_type(), at::kBFloat16);
  // Rounded once to eight bits, and made with rounded probabilities: 2^-8 of entries of size one each.
  EXPECT_LT(distance(gradient, gradient_of(last.rows.u, last.plain(*GetParam()))), 1.6e-2);
}

TEST_P(EveryDivergence, OfNoPositionsIsEmpty) {
  const auto u = at::empty({0, 12}, at::kFloat).requires_grad_(true);
  const auto losses = GetParam()->losses({u, random_tensor({40, 12}, 2, at::kFloat), at::empty({0, 20}, at::kFloat),
                                          random_tensor({40, 20}, 4, at::kFloat)},
                                         {});
  EXPECT_EQ(losses.numel(), 0);
  losses.sum().backward();
  EXPECT_EQ(u.grad().sizes(), u.sizes());
}

INSTANTIATE_TEST_SUITE_P(Divergence, EveryDivergence, testing::ValuesIn(every_divergence()), name_of_entry);
INSTANTIATE_TEST_SUITE_P(Divergence, MixedDivergence,
                         testing::Values(&find_divergence("reverse_kl"), &find_divergence("jsd"),
                                         &find_divergence("skew_kl")),
                         name_of_entry);

TEST(Divergence, TakesManyPositionsBlockByBlock) {
  // More than one block of positions, and more rows than are gathered at once: each position as when it is alone.
  const auto u = random_tensor({700, 12}, 1, at::kDouble), v = random_tensor({700, 20}, 3, at::kDouble),
             head = random_tensor({64, 12}, 2, at::kDouble) / 2,
             teacher_head = random_tensor({64, 20}, 4, at::kDouble) / 3;
  for (const auto& divergence : divergences()) {
    const auto all = divergence.losses({u, head, v, teacher_head}, {.top_k = 7});
    for (const int64_t i : {0, 300, 511, 512, 699}) {
      const auto one = divergence.losses({u.narrow(0, i, 1), head, v.narrow(0, i, 1), teacher_head}, {.top_k = 7});
      EXPECT_NEAR(all[i].item<double>(), one.item<double>(), 1e-12) << divergence.name << i;  // sums of 64 terms
    }
  }
}

TEST(Divergence, TakesNoMoreMemoryForALargerVocabulary) {
  for (const auto& divergence : divergences()) {
    const auto peak_of = [&](int64_t vocab_size) {
      const auto u = random_tensor({20, 32}, 1, at::kFloat).requires_grad_(true),
                 v = random_tensor({20, 48}, 2, at::kFloat), head = random_tensor({vocab_size, 32}, 3, at::kFloat),
                 teacher_head = random_tensor({vocab_size, 48}, 4, at::kFloat);
      return peak_bytes([&] { divergence.losses({u, head, v, teacher_head}, {}).sum().backward(); });
    };
    const int64_t small = peak_of(4096);
    EXPECT_EQ(peak_of(32768), small) << divergence.name;
    EXPECT_GT(small, 20 * 1024 * 4) << divergence.name;  // a tile of logits: it counts at all
  }
}

TEST(Divergence, OfAllWordsInTopKIsTheKl) {
  LastLayers last(at::kDouble);
  last.config.top_k = 64;
  const auto losses = last.losses(find_divergence("top_k_kl"));
  const auto u = last.rows.u.unsqueeze(0);
  const auto kl = all_pairs_kl(
      u, last.rows.head, summarize_teacher(last.rows.u_teacher.unsqueeze(0), last.rows.teacher_head, last.rows.head));
  EXPECT_NEAR(losses.mean().item<double>(), kl.item<double>(), 1e-12);  // sums of 64 float64 terms
  EXPECT_LT(distance(gradient_of(last.rows.u, losses.mean()), gradient_of(last.rows.u, kl)), 1e-12);
  last.config.top_k = 1000;
  EXPECT_TRUE(at::equal(last.losses(find_divergence("top_k_kl")), losses));
}

TEST(Divergence, OfAFewWordsIsBiased) {
  // A student that says exactly what its teacher does is not where the cut KL is least: words that were cut have no
  // probability in it.
  const auto head = random_tensor({64, 12}, 2, at::kDouble) / 2, u = random_tensor({5, 12}, 1, at::kDouble);
  u.set_requires_grad(true);
  const auto losses = find_divergence("top_k_kl").losses({u, head, u.detach(), head}, {.top_k = 7});
  EXPECT_GT(losses.min().item<double>(), 0.1);
  EXPECT_GT(gradient_of(u, losses).abs().max().item<double>(), 0.1);
}

TEST(Divergence, OfMixturesApproachesTheKls) {
  LastLayers last(at::kDouble);
  const auto log_p = at::log_softmax(at::mm(last.rows.u_teacher, last.rows.teacher_head.t()), -1);
  const auto log_q = at::log_softmax(at::mm(last.rows.u.detach(), last.rows.head.t()), -1);
  const auto forward = (log_p.exp() * (log_p - log_q)).sum(-1);
  last.config.skew_alpha = last.config.jsd_beta = 1e-8;
  // Both err by about the share itself times a ratio of probabilities, which is below a thousand here.
  EXPECT_LT(distance(last.losses(find_divergence("skew_kl")), forward), 1e-5);
  EXPECT_LT(distance(last.losses(find_divergence("jsd")) / 1e-8, forward), 1e-5);
  last.config.jsd_beta = 1 - 1e-8;
  EXPECT_LT(distance(last.losses(find_divergence("jsd")) / 1e-8, last.losses(find_divergence("reverse_kl"))), 1e-5);
}

TEST(Divergence, StaysFiniteForWordsThatNobodySays) {
  // Logits of a thousand: probabilities underflow to zero, their logarithms do not.
  const auto head = random_tensor({64, 12}, 2, at::kFloat) * 100,
             teacher_head = random_tensor({64, 20}, 4, at::kFloat) * 100;
  for (const auto& divergence : divergences()) {
    const auto u = random_tensor({5, 12}, 1, at::kFloat).requires_grad_(true);
    const auto losses = divergence.losses({u, head, random_tensor({5, 20}, 3, at::kFloat), teacher_head}, {.top_k = 7});
    EXPECT_TRUE(at::isfinite(losses).all().item<bool>()) << divergence.name;
    EXPECT_TRUE(at::isfinite(gradient_of(u, losses)).all().item<bool>()) << divergence.name;
  }
}

}  // namespace
}  // namespace vlsi
