// What the launcher (torchrun, or anything that sets the same variables) says of this process.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace vlsi {

struct Launch {
  int64_t rank, size;
  int64_t local_rank;   // among the ranks of this machine
  std::string address;  // of the store where the ranks meet
  uint16_t port;
  bool launcher_has_store;  // else rank 0 holds it
  std::string attempt;      // restarts of the launcher so far: each meets anew
};

/// The value of an environment variable; null when it is not set.
using Environment = std::function<const char*(const char*)>;

/// From WORLD_SIZE, RANK, LOCAL_RANK, MASTER_ADDR and MASTER_PORT; none without WORLD_SIZE, or when it is 1. Error
/// naming the variable that is missing or cannot be.
std::optional<Launch> read_launch(const Environment& environment);
/// Of this process.
std::optional<Launch> read_launch();

}  // namespace vlsi
