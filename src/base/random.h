// Seeded random numbers whose state can be saved; equal on every machine and standard library.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace vlsi {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  /// Uniform in [0, 1), 53 random bits.
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }

  /// Goes past so many numbers, as if they had been asked for.
  void skip(int64_t count) { engine_.discard(static_cast<unsigned long long>(count)); }

  /// The state as text, for a checkpoint, and back. `restore` gives false for text that no state was ever saved as.
  std::string state() const;
  bool restore(const std::string& state);

 private:
  std::mt19937_64 engine_;
};

/// A seed for one purpose of a run, different for each `purpose` and `seed`.
uint64_t derive_seed(uint64_t seed, const std::string& purpose);

}  // namespace vlsi
