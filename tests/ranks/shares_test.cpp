// Tensors dealt to ranks: shares against whole tensors, for any number of ranks and size of an exchange.
#include "ranks/shares.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

/// Whole numbers, whose sums are exact, in shapes that no number of ranks divides; a scalar and an empty one among
/// them.
std::vector<at::Tensor> tensors_of(int64_t rank, at::ScalarType dtype) {
  std::vector<at::Tensor> tensors;
  for (const auto& shape : std::vector<std::vector<int64_t>>{{3, 5}, {}, {7}, {0, 2}, {2, 2, 2}, {29}}) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    tensors.push_back((at::arange(count) % 50 + rank).to(dtype).view(shape));
  }
  return tensors;
}

TEST(Share, CoversATensorOnceWithTheOthers) {
  for (const int64_t size : {2, 3, 4}) {
    const std::vector<int64_t> counts{0, 1, 2, 3, 4, 29, 30};
    std::vector<std::vector<Share>> shares(size);
    EXPECT_EQ(in_ranks(size,
                       [&](const Ranks& ranks) {
                         for (const int64_t count : counts) shares[ranks.rank()].push_back(rank_share(count, ranks));
                       }),
              std::vector<std::string>(size));
    for (size_t i = 0; i < counts.size(); ++i) {
      int64_t reached = 0;
      for (int64_t rank = 0; rank < size; ++rank) {
        EXPECT_EQ(shares[rank][i].begin, reached);
        reached += shares[rank][i].length;
      }
      EXPECT_EQ(reached, counts[i]);
    }
  }
}

class RankShares : public testing::TestWithParam<std::tuple<int64_t, int64_t>> {
 protected:
  const int64_t size_ = std::get<0>(GetParam()), at_once_ = std::get<1>(GetParam());

  void expect_in_ranks(const std::function<void(const Ranks&)>& action) {
    if (size_ == 1) return action(one_rank());
    EXPECT_EQ(in_ranks(size_, action), std::vector<std::string>(size_));
  }
};

TEST_P(RankShares, AreSharedWithAllRanks) {
  expect_in_ranks([&](const Ranks& ranks) {
    auto tensors = tensors_of(0, at::kFloat), wanted = tensors;
    for (const auto dtype : {at::kBFloat16, at::kFloat}) {
      for (const auto& tensor : tensors_of(3, dtype)) tensors.push_back(tensor);
    }
    wanted.clear();
    for (auto& tensor : tensors) {
      wanted.push_back(tensor.clone());
      const auto [begin, length] = rank_share(tensor.numel(), ranks);
      const auto mine = tensor.view(-1).narrow(0, begin, length).clone();
      tensor.fill_(-1);
      tensor.view(-1).narrow(0, begin, length).copy_(mine);
      EXPECT_TRUE(at::equal(gather_shares(mine, tensor.sizes(), ranks), wanted.back()));
    }
    exchange_shares(tensors, ranks, at_once_);
    for (size_t i = 0; i < tensors.size(); ++i) EXPECT_TRUE(at::equal(tensors[i], wanted[i])) << i;
  });
}

INSTANTIATE_TEST_SUITE_P(RanksAndExchanges, RankShares,
                         testing::Combine(testing::Values(1, 2, 3), testing::Values(1, 20, 1000)));

}  // namespace
}  // namespace vlsi
