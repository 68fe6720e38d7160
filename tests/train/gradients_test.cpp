// What comes of an iteration's gradients: against plain sums, with and without exchanges during the last backward pass,
// bit for bit.
#include "train/gradients.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "ranks/shares.h"
#include "tests/support/counting_ranks.h"
#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

using Errors = std::vector<std::string>;

const std::vector<std::vector<int64_t>> kShapes{{3, 5}, {1}, {40}, {2, 2, 2}, {29}, {6}};

/// A backward pass gives parameter i the gradient gradients[i], none where it is undefined.
using Pass = std::vector<at::Tensor>;

/// The backward passes of an iteration, by rank: none to three, each of which reaches some of the parameters. Parameter
/// 1 is reached by none, parameter 2 by rank 0 alone, parameter 3 only by passes that are not the last.
std::vector<std::vector<Pass>> passes_of(uint64_t iteration, int64_t num_ranks, at::ScalarType dtype) {
  Random random(iteration);
  const auto below = [&](int64_t limit) { return static_cast<int64_t>(random.uniform() * static_cast<double>(limit)); };
  std::vector<std::vector<Pass>> by_rank(num_ranks);
  for (int64_t rank = 0; rank < num_ranks; ++rank) {
    const int64_t num_passes = iteration == 0 ? 2 : below(4);
    for (int64_t number = 0; number < num_passes; ++number) {
      Pass pass(kShapes.size());
      for (size_t i = 0; i < kShapes.size(); ++i) {
        const bool reached = below(4) > 0;
        if (!reached || i == 1 || (i == 2 && rank > 0) || (i == 3 && number + 1 == num_passes)) continue;
        auto gradient = at::empty(kShapes[i]);
        for (int64_t j = 0; j < gradient.numel(); ++j) gradient.view(-1)[j] = random.uniform() - 0.5;
        pass[i] = gradient.to(dtype);
      }
      by_rank[rank].push_back(pass);
    }
  }
  return by_rank;
}

/// Of parameter i, in float32: a rank's passes one after the other, then the ranks.
at::Tensor plain_sum(const std::vector<std::vector<Pass>>& by_rank, size_t i) {
  at::Tensor sum;
  for (const auto& passes : by_rank) {
    at::Tensor of_rank;
    for (const auto& pass : passes) {
      if (pass[i].defined()) of_rank = of_rank.defined() ? of_rank + pass[i].to(at::kFloat) : pass[i].to(at::kFloat);
    }
    if (of_rank.defined()) sum = sum.defined() ? sum + of_rank : of_rank;
  }
  return sum;
}

void run_backward(const std::vector<at::Tensor>& parameters, const Pass& pass) {
  auto loss = at::zeros({}).requires_grad_();
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (pass[i].defined()) loss = loss + (parameters[i] * pass[i]).sum().to(at::kFloat);
  }
  loss.backward();
}

class GradientsOfRanks : public testing::TestWithParam<std::tuple<int64_t, at::ScalarType>> {};

TEST_P(GradientsOfRanks, ArePlainSumsWhetherTheLastPassIsExpectedOrNot) {
  const auto [size, dtype] = GetParam();
  const auto iterate = [dtype](const Ranks& ranks) {
    std::vector<at::Tensor> parameters;
    for (const auto& shape : kShapes) parameters.push_back(at::ones(shape, dtype).requires_grad_());
    // Each rank says for itself whether a pass is its last: 0 never, 1 always, 2 the first rank alone.
    for (const int64_t says : {0, 1, 2}) {
      Gradients gradients(parameters, ranks, /*at_once=*/10);
      for (uint64_t iteration = 0; iteration < 20; ++iteration) {
        const auto by_rank = passes_of(iteration, ranks.size(), dtype);
        const auto& mine = by_rank[ranks.rank()];
        for (const auto& pass : mine) {
          const bool is_last = &pass == &mine.back();
          if (is_last && (says == 1 || (says == 2 && ranks.is_first()))) gradients.expect_last_backward();
          run_backward(parameters, pass);
          gradients.collect();
        }
        if (says != 0) gradients.start_sums();
        ranks.wait_for_all();  // exchanges something else, on every rank between the same sums
        const auto shares = gradients.sum_to_shares();
        for (size_t i = 0; i < kShapes.size(); ++i) {
          SCOPED_TRACE(testing::Message() << "parameter " << i << " of iteration " << iteration);
          const auto sum = plain_sum(by_rank, i);
          ASSERT_EQ(shares[i].defined(), sum.defined());
          EXPECT_FALSE(parameters[i].grad().defined());
          if (!sum.defined()) continue;
          const auto [begin, length] = rank_share(sum.numel(), ranks);
          EXPECT_TRUE(at::equal(shares[i], sum.flatten().narrow(0, begin, length)));
        }
      }
    }
  };
  if (size == 1) return iterate(one_rank());
  EXPECT_EQ(in_ranks(size, iterate), Errors(size));
}

INSTANTIATE_TEST_SUITE_P(SizesAndTypes, GradientsOfRanks,
                         testing::Combine(testing::Values(1, 2, 3), testing::Values(at::kFloat, at::kBFloat16)),
                         [](const auto& item) {
                           return std::to_string(std::get<0>(item.param)) +
                                  std::string(c10::toString(std::get<1>(item.param)));
                         });

/// y = w_n(... w_2(w_1 x)): the gradients come from the last weight to the first.
struct Chain {
  explicit Chain(size_t length) {
    for (size_t i = 0; i < length; ++i) weights.push_back(at::full({1}, 1.0 + static_cast<double>(i)).requires_grad_());
  }

  /// `seen(i)` is called when the gradient of weight i's input is there, before that of any weight below.
  void run_backward(const std::function<void(size_t)>& seen) const {
    auto x = at::ones({1}).requires_grad_();
    for (size_t i = 0; i < weights.size(); ++i) {
      x = x * 1;
      x.register_hook([&seen, i](const at::Tensor&) { seen(i); });
      x = weights[i] * x;
    }
    x.backward();
  }

  std::vector<at::Tensor> weights;
};

TEST(Gradients, AreSentWhileTheBackwardPassGoesOn) {
  EXPECT_EQ(in_ranks(2,
                     [](const Ranks& inner) {
                       const CountingRanks ranks(inner);
                       const Chain chain(4);
                       Gradients gradients(chain.weights, ranks, /*at_once=*/2);  // an exchange for each
                       for (int iteration = 0; iteration < 3; ++iteration) {
                         gradients.expect_last_backward();
                         const int64_t before = ranks.num_sums();
                         chain.run_backward([&](size_t i) {
                           // In the first iteration it is not known yet who is used. Of the others, the weights above
                           // this one were sent.
                           const int64_t num_above = iteration == 0 ? 0 : 3 - static_cast<int64_t>(i);
                           EXPECT_GE(ranks.num_sums() - before, num_above);
                           EXPECT_LE(ranks.num_sums() - before, num_above + (iteration == 0 ? 0 : 1));
                         });
                         gradients.collect();
                         EXPECT_EQ(ranks.num_sums() - before, iteration == 0 ? 0 : 4);
                         const auto shares = gradients.sum_to_shares();
                         EXPECT_EQ(ranks.num_sums() - before, 4);
                         if (ranks.is_first()) {
                           EXPECT_EQ(shares[0].item<double>(), 2.0 * 2 * 3 * 4);
                         } else {
                           EXPECT_EQ(shares[0].numel(), 0);
                         }
                       }
                     }),
            Errors(2));
}

TEST(Gradients, OfWhatNoRankUsesAreNotExchanged) {
  EXPECT_EQ(in_ranks(2,
                     [](const Ranks& inner) {
                       const CountingRanks ranks(inner);
                       const auto used = at::ones({1}).requires_grad_(), unused = at::ones({1}).requires_grad_();
                       Gradients gradients({used, unused}, ranks, 2);
                       for (int iteration = 0; iteration < 3; ++iteration) {
                         gradients.expect_last_backward();
                         if (ranks.is_first()) used.sum().backward();
                         gradients.collect();
                         EXPECT_FALSE(gradients.sum_to_shares()[1].defined());
                         EXPECT_EQ(ranks.num_sums(), iteration + 1);
                       }
                     }),
            Errors(2));
}

TEST(Gradients, ComeWithTheErrorOfAnotherRankOutOfTheBackwardPass) {
  bool came_out = false;
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    const Chain chain(kExchangesUnderWay + 2);
    Gradients gradients(chain.weights, ranks, 2);
    chain.run_backward([](size_t) {});
    gradients.collect();
    gradients.sum_to_shares();
    if (!ranks.is_first()) throw std::runtime_error("the lights went out");
    gradients.expect_last_backward();
    try {
      chain.run_backward([](size_t) {});
    } catch (const RanksError&) {
      came_out = true;
      throw;
    }
  });
  EXPECT_EQ(errors, (Errors{"rank 1 stopped: the lights went out", "the lights went out"}));
  EXPECT_TRUE(came_out) << "more exchanges than may be under way wait for the other rank";
}

TEST(Gradients, AreForgottenWhereNoneIsUnderWay) {
  const auto errors = in_ranks(2, [](const Ranks& ranks) {
    const Chain chain(2);
    Gradients gradients(chain.weights, ranks, 2);
    const auto run = [&] {
      chain.run_backward([](size_t) {});
      gradients.collect();
    };
    run();
    gradients.sum_to_shares();
    run();
    gradients.clear();
    for (const auto& share : gradients.sum_to_shares()) EXPECT_FALSE(share.defined());
    run();
    gradients.sum_to_shares();
    gradients.expect_last_backward();
    run();
    EXPECT_THROW(gradients.clear(), c10::Error);
    gradients.sum_to_shares();
  });
  EXPECT_EQ(errors, Errors(2));
}

TEST(GradientHooks, TellOfALeafOnceAPassAndEndWithTheirLife) {
  const Chain chain(3);
  std::vector<size_t> told;
  {
    const GradientHooks hooks(chain.weights, [&](size_t i) {
      EXPECT_TRUE(chain.weights[i].grad().defined());
      told.push_back(i);
    });
    (chain.weights[0] * chain.weights[2] + chain.weights[2].exp()).backward();
  }
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, (std::vector<size_t>{0, 2}));
  chain.weights[1].sum().backward();
  EXPECT_EQ(told.size(), 2) << "the hooks are gone";
}

}  // namespace
}  // namespace vlsi
