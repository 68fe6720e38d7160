// The program on two ranks, as a launcher starts it: two processes that are told of each other by their environment.
#pragma once

#include <memory>

#include "tests/cli/program.h"
#include "tests/support/in_ranks.h"

namespace vlsi::cli_test {

using Processes = std::vector<std::unique_ptr<Program>>;

/// Two ranks with `arguments`, the second with more of its own.
inline Processes start_two_ranks(const Arguments& arguments, const Arguments& second = {},
                                 Surroundings surroundings = {}) {
  const uint16_t port = free_port();
  Processes ranks;
  for (const std::string rank : {"0", "1"}) {
    surroundings.environment = {{"RANK", rank},
                                {"LOCAL_RANK", rank},
                                {"WORLD_SIZE", "2"},
                                {"MASTER_ADDR", "127.0.0.1"},
                                {"MASTER_PORT", std::to_string(port)}};
    if (rank == "1") wait_for_first(port, [&] { return ranks[0]->is_running(); });
    ranks.push_back(std::make_unique<Program>(rank == "1" ? with(arguments, second) : arguments, surroundings));
  }
  return ranks;
}

inline std::vector<Result> wait(const Processes& ranks) {
  std::vector<Result> results;
  for (const auto& rank : ranks) results.push_back(rank->wait());
  return results;
}

inline void expect_success(const Processes& ranks) {
  for (const auto& result : wait(ranks)) EXPECT_EQ(result.status, 0) << result.err;
}

}  // namespace vlsi::cli_test
