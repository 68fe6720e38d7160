#include "base/random.h"

#include <sstream>

namespace vlsi {

std::string Random::state() const {
  std::ostringstream text;
  text << engine_;
  return text.str();
}

bool Random::restore(const std::string& state) {
  std::istringstream text(state);
  std::mt19937_64 engine;
  if (!(text >> engine)) return false;
  engine_ = engine;
  return true;
}

uint64_t derive_seed(uint64_t seed, const std::string& purpose) {
  // FNV-1a over the purpose, then the finaliser of SplitMix64 over both, so that near seeds give unrelated streams.
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  uint64_t mixed = seed + 0x9E3779B97F4A7C15ULL * (hash | 1);
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  return mixed ^ (mixed >> 31);
}

}  // namespace vlsi
