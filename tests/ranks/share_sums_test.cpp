// Sums that start as their tensors come: against whole sums, for any number of ranks, size of an exchange, and order of
// coming.
#include "ranks/share_sums.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "ranks/shares.h"
#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

const std::vector<int64_t> kSizes{15, 1, 7, 0, 8, 29};

/// Whole numbers, whose sums are exact.
at::Tensor tensor_of(size_t index, int64_t rank) {
  return (at::arange(kSizes[index]) % 50 + 1000 * rank + static_cast<int64_t>(index)).to(at::kFloat);
}

void expect_sums(const std::vector<at::Tensor>& shares, const Ranks& ranks,
                 const std::function<bool(size_t index, int64_t rank)>& is_added) {
  ASSERT_EQ(shares.size(), kSizes.size());
  for (size_t i = 0; i < kSizes.size(); ++i) {
    auto sum = at::zeros({kSizes[i]});
    for (int64_t rank = 0; rank < ranks.size(); ++rank) {
      if (is_added(i, rank)) sum.add_(tensor_of(i, rank));
    }
    const auto [begin, length] = rank_share(kSizes[i], ranks);
    EXPECT_TRUE(at::equal(shares[i], sum.narrow(0, begin, length))) << i;
  }
}

class ShareSumsOfRanks : public testing::TestWithParam<std::tuple<int64_t, int64_t>> {
 protected:
  const int64_t size_ = std::get<0>(GetParam()), at_once_ = std::get<1>(GetParam());

  void expect_in_ranks(const std::function<void(const Ranks&)>& action) {
    if (size_ == 1) return action(one_rank());
    EXPECT_EQ(in_ranks(size_, action), std::vector<std::string>(size_));
  }
};

TEST_P(ShareSumsOfRanks, AreThoseOfTheWholeSums) {
  expect_in_ranks([&](const Ranks& ranks) {
    std::vector<at::Tensor> tensors;
    for (size_t i = 0; i < kSizes.size(); ++i) tensors.push_back(tensor_of(i, ranks.rank()));
    tensors.back() = tensors.back().view({1, 29});
    expect_sums(sum_to_shares(tensors, ranks, at_once_), ranks, [](size_t, int64_t) { return true; });
    EXPECT_TRUE(sum_to_shares({}, ranks, at_once_).empty());
  });
}

TEST_P(ShareSumsOfRanks, DoNotDependOnWhatEachRankAddsFirst) {
  expect_in_ranks([&](const Ranks& ranks) {
    ShareSums sums(kSizes, at::kFloat, ranks, at_once_);
    for (size_t i = 0; i < kSizes.size(); ++i) {
      // Upwards, downwards, and from the middle on.
      const size_t index = ranks.rank() == 0 ? i : ranks.rank() == 1 ? kSizes.size() - 1 - i : (i + 3) % kSizes.size();
      sums.add(index, tensor_of(index, ranks.rank()));
    }
    expect_sums(sums.finish(), ranks, [](size_t, int64_t) { return true; });
  });
}

TEST_P(ShareSumsOfRanks, TakeWhatIsNotAddedForZero) {
  const auto is_added = [](size_t index, int64_t rank) {
    return index != 1 && static_cast<int64_t>(index) % 3 != rank;
  };
  expect_in_ranks([&](const Ranks& ranks) {
    ShareSums sums(kSizes, at::kFloat, ranks, at_once_);
    for (size_t i = 0; i < kSizes.size(); ++i) {
      if (is_added(i, ranks.rank())) sums.add(i, tensor_of(i, ranks.rank()));
    }
    expect_sums(sums.finish(), ranks, is_added);
  });
}

INSTANTIATE_TEST_SUITE_P(RanksAndExchanges, ShareSumsOfRanks,
                         testing::Combine(testing::Values(1, 2, 3), testing::Values(1, 20, 1000)));

TEST(ShareSums, StartInTheirOrderAsSoonAsTheyAreComplete) {
  EXPECT_EQ(in_ranks(2,
                     [](const Ranks& ranks) {
                       ShareSums sums({4, 2, 2, 2}, at::kFloat, ranks, /*at_once=*/4);  // exchanges: 0; 1 and 2; 3
                       const auto num_started_with = [&](size_t index) {
                         sums.add(index, at::ones({index == 0 ? 4 : 2}));
                         return sums.num_started();
                       };
                       EXPECT_EQ(num_started_with(1), 0);
                       EXPECT_EQ(num_started_with(0), 1);
                       EXPECT_EQ(num_started_with(3), 1);
                       EXPECT_EQ(num_started_with(2), 3);
                       EXPECT_THROW(sums.add(2, at::ones({2})), c10::Error)
                           << "a gradient that came after its exchange had started would be lost";
                       for (const auto& share : sums.finish()) EXPECT_TRUE(at::equal(share, at::full_like(share, 2)));
                     }),
            std::vector<std::string>(2));
}

}  // namespace
}  // namespace vlsi
