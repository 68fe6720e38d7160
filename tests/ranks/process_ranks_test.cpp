// What ranks exchange, and what each of them hears when one fails.
#include "ranks/process_ranks.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/interrupt.h"
#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

using Errors = std::vector<std::string>;

class Exchanges : public testing::TestWithParam<int64_t> {};

TEST_P(Exchanges, GatherAndSumTheRanksParts) {
  const int64_t size = GetParam();
  EXPECT_EQ(in_ranks(size,
                     [&](const Ranks& ranks) {
                       EXPECT_EQ(ranks.size(), size);
                       const auto mine = at::full({3}, static_cast<double>(ranks.rank()), at::kFloat);
                       auto gathered = at::empty({size, 3}, at::kFloat);
                       ranks.all_gather(mine, gathered);
                       EXPECT_TRUE(at::equal(gathered, at::arange(size).to(at::kFloat).unsqueeze(1).expand({size, 3})));
                       // Rank r gives 10^r in the row of rank i, plus i.
                       const auto whole =
                           at::arange(size).to(at::kFloat).unsqueeze(1).repeat({1, 2}) + std::pow(10.0, ranks.rank());
                       auto sum = at::empty({2}, at::kFloat);
                       ranks.start_reduce_scatter_sum(whole, sum)->wait();
                       const double expected = static_cast<double>(size * ranks.rank()) + (size == 2 ? 11 : 111);
                       EXPECT_TRUE(at::equal(sum, at::full({2}, expected, at::kFloat))) << sum;
                     }),
            Errors(size));
}

TEST_P(Exchanges, GatherTextsOfAnyBytesAndLengths) {
  const int64_t size = GetParam();
  EXPECT_EQ(in_ranks(size,
                     [&](const Ranks& ranks) {
                       const auto text_of = [](int64_t rank) {
                         return rank == 0 ? std::string("a\0b\xff", 4) : std::string(rank * 1000 - 1000, 'x');
                       };
                       const auto texts = ranks.all_gather(text_of(ranks.rank()));
                       ASSERT_EQ(std::ssize(texts), size);
                       for (int64_t rank = 0; rank < size; ++rank) EXPECT_EQ(texts[rank], text_of(rank));
                       EXPECT_EQ(ranks.all_gather(std::string()), Errors(size));
                     }),
            Errors(size));
}

INSTANTIATE_TEST_SUITE_P(Sizes, Exchanges, testing::Values(2, 3));

TEST(Failures, OfOneRankStopTheOthersWithItsReason) {
  for (const int64_t failing : {0, 1}) {
    const auto errors = in_ranks(3, [&](const Ranks& ranks) {
      ranks.wait_for_all();
      if (ranks.rank() == failing) fail("reading data.json: it is broken");
      ranks.wait_for_all();
    });
    for (int64_t rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(errors[rank], (rank == failing ? "" : "rank " + std::to_string(failing) + " stopped: ") +
                                  std::string("reading data.json: it is broken"));
    }
  }
}

TEST(Failures, AreHeardBetweenExchanges) {
  const auto errors = in_ranks(2, [](const Ranks& ranks) {
    if (ranks.rank() == 1) fail("no more pictures");
    for (int64_t i = 0; i < 1000; ++i) {  // 10 seconds at most
      ranks.check();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  EXPECT_EQ(errors, (Errors{"rank 1 stopped: no more pictures", "no more pictures"}));
}

/// What each of two ranks throws, of which the first does `action`.
Errors thrown_by_two(const std::function<void()>& action) {
  const uint16_t port = free_port();
  Errors errors(2);
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      if (rank > 0) wait_for_first("127.0.0.1", port, [] { return true; });
      const Launch launch{rank, 2, rank, "127.0.0.1", port, /*launcher_has_store=*/false, "0"};
      try {
        run_as_rank(launch, at::kCPU, [&](const Ranks& ranks) {
          ranks.wait_for_all();  // both have met
          if (ranks.is_first()) action();
          ranks.wait_for_all();
          return 0;
        });
      } catch (const Error& error) {
        errors[rank] = concat("Error: ", error.what());
      } catch (const std::exception& error) {
        errors[rank] = error.what();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return errors;
}

TEST(RunAsRank, NamesTheRankInOneLineAndTellsWrongInputFromOtherErrors) {
  EXPECT_EQ(thrown_by_two([] { fail("reading data.json: it is broken"); }),
            (Errors{"Error: rank 0: reading data.json: it is broken",
                    "rank 1: rank 0 stopped: reading data.json: it is broken"}));
  EXPECT_EQ(
      thrown_by_two([] {
        throw std::filesystem::filesystem_error("opening", "data.json",
                                                std::make_error_code(std::errc::permission_denied));
      }),
      (Errors{"Error: rank 0: data.json: Permission denied", "rank 1: rank 0 stopped: data.json: Permission denied"}));
  EXPECT_EQ(thrown_by_two([] { TORCH_CHECK(false, "no such shape"); }),
            (Errors{"rank 0: no such shape", "rank 1: rank 0 stopped: no such shape"}))
      << "without the backtrace";
}

TEST(MeetingDeathTest, EndsWithAnInterrupt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // The wish cannot be taken back, so it is made in a process of its own.
  const auto is_stopped = [](int64_t rank) {
    request_interrupt();
    try {
      join_ranks({rank, 2, rank, "127.0.0.1", free_port(), /*launcher_has_store=*/false, "0"}, at::kCPU);
    } catch (const RanksError& error) {
      return std::string(error.what()).ends_with("stopped by an interrupt");
    }
    return false;
  };
  EXPECT_EXIT(::_exit(is_stopped(0) && is_stopped(1) ? 0 : 1), testing::ExitedWithCode(0), "");
}

TEST(OneRank, ExchangesWithItself) {
  const auto share = at::arange(3), whole = at::zeros({1, 3}, at::kLong), sum = at::zeros({3}, at::kLong);
  one_rank().all_gather(share, whole);
  one_rank().start_reduce_scatter_sum(whole, sum)->wait();
  EXPECT_TRUE(at::equal(sum, share));
  EXPECT_EQ(one_rank().all_gather("text"), Errors{"text"});
  one_rank().wait_for_all();
}

}  // namespace
}  // namespace vlsi
