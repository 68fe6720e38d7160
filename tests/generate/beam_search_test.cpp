// The bookkeeping of beams, without a model.
#include "generate/beam_search.h"

#include <gtest/gtest.h>

#include <cmath>

namespace vlsi {
namespace beam_search_tests {

TEST(BeamSearch, HasAnAnswerWhereEveryScoreLiesBelowThatOfNone) {
  constexpr int64_t kVocabulary = 4, kLongest = 900;
  Decoding decoding;
  decoding.num_beams = 3;
  decoding.length_penalty = -4;  // |sum| * length^4 passes transformers' 1e9 for no answer
  BeamSearch search(decoding, kLongest);
  std::vector<float> log_probs(kVocabulary, std::log(1.0F / kVocabulary));
  int64_t num_steps = 1;
  while (search.advance(log_probs, kVocabulary)) {
    log_probs.assign(search.beams().size() * kVocabulary, std::log(1.0F / kVocabulary));
    ++num_steps;
  }
  EXPECT_LT(num_steps, kLongest);
  EXPECT_EQ(std::ssize(search.best()), num_steps);
}

}  // namespace beam_search_tests
}  // namespace vlsi
