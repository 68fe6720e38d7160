// The program on two ranks, as a launcher starts it: two processes that are told of each other by their environment.
#pragma once

#include <memory>

#include "tests/cli/program.h"
#include "tests/support/in_ranks.h"

namespace vlsi::cli_test {

using Processes = std::vector<std::unique_ptr<Program>>;

/// Two ranks with `arguments`, the second with more of its own; each on a host of its own where there are `hosts`. The
/// first then knows itself by its loopback, as a host does whose own name means that.
inline Processes start_two_ranks(const Arguments& arguments, const Arguments& second = {},
                                 Surroundings surroundings = {}, const TwoHosts* hosts = nullptr) {
  const uint16_t port = free_port();
  Processes ranks;
  for (const int rank : {0, 1}) {
    const char* address = hosts != nullptr && rank == 1 ? TwoHosts::kAddresses[0] : "127.0.0.1";
    auto& environment = surroundings.environment;
    environment["RANK"] = std::to_string(rank);
    environment["LOCAL_RANK"] = hosts != nullptr ? "0" : std::to_string(rank);
    environment["WORLD_SIZE"] = "2";
    environment["MASTER_ADDR"] = address;
    environment["MASTER_PORT"] = std::to_string(port);
    if (hosts != nullptr) surroundings.network = (*hosts)[rank].descriptor();
    if (rank == 1) {
      const auto wait = [&] { wait_for_first(address, port, [&] { return ranks[0]->is_running(); }); };
      hosts == nullptr ? wait() : (*hosts)[1].within(wait);
    }
    ranks.push_back(std::make_unique<Program>(rank == 1 ? with(arguments, second) : arguments, surroundings));
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
