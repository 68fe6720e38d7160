// A cached pass gives the rows of a pass over everything so far; sequences can be dropped, repeated and reordered.
#include "model/kv_cache.h"

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;

// The same float32 sums over up to 60 keys, by another kernel.
constexpr double kTolerance = 1e-5;

class CachedPass : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const auto& stored : fixtures::cases(GetParam())) prompts_.push_back(fixtures::prompt_of(stored));
    prompts_.resize(3);
    const auto batch = pack(prompts_);
    cache_ = std::make_unique<KvCache>(model_->config().text, 3, 64, at::TensorOptions(at::kFloat));
    EXPECT_FALSE(cache_->has_prompt());
    model_->forward(batch, {}, nullptr, cache_.get());
    EXPECT_TRUE(cache_->has_prompt());
    for (const int64_t index : batch.order) sequences_.push_back(prompts_[index]);
  }

  /// Feeds one token a sequence to the cache and expects the rows of uncached passes.
  void step(const std::vector<int32_t>& tokens) {
    std::vector<int64_t> token_ids(tokens.begin(), tokens.end()), positions;
    for (size_t i = 0; i < sequences_.size(); ++i) {
      auto& sequence = sequences_[i];
      positions.push_back(sequence.next_position);
      sequence.answer_positions = {static_cast<int32_t>(sequence.tokens.size())};
      sequence.tokens.push_back(tokens[i]);
      for (auto& axis : sequence.positions) axis.push_back(sequence.next_position);
      ++sequence.next_position;
    }
    const auto rows = model_->forward_next(at::tensor(token_ids, at::kLong), at::tensor(positions, at::kLong), *cache_);
    ASSERT_EQ(rows.size(0), std::ssize(sequences_));
    for (size_t i = 0; i < sequences_.size(); ++i) {
      const auto expected = model_->forward(pack({sequences_[i]}), {}).final_rows[0];
      EXPECT_LE(difference(rows[static_cast<int64_t>(i)], expected), kTolerance) << sequences_[i].id;
    }
  }

  void select(const std::vector<int64_t>& indices) {
    cache_->select(at::tensor(indices, at::kLong));
    std::vector<Sample> selected;
    for (const int64_t index : indices) selected.push_back(sequences_[index]);
    sequences_ = selected;
  }

  at::NoGradGuard no_grad_;
  std::shared_ptr<Vlm> model_ = load_vlm(fixtures::directory(GetParam()), at::kFloat);
  std::vector<Sample> prompts_, sequences_;  // sequences_: in the cache's order, with all tokens so far
  std::unique_ptr<KvCache> cache_;
};

TEST_P(CachedPass, GivesTheRowsOfAnUncachedOne) {
  step({1, 2, 3});
  step({40, 50, 60});
  step({7, 7, 7});
}

TEST_P(CachedPass, GoesOnWithReorderedSequences) {
  step({1, 2, 3});
  select({2, 0, 1});
  step({4, 5, 6});
}

TEST_P(CachedPass, GoesOnWithFewerSequences) {
  select({0, 2});
  step({1, 2});
  select({1});
  step({3});
  step({4});
}

TEST_P(CachedPass, KeepsRepeatedSequencesApart) {
  select({1, 1, 0, 1});
  step({1, 2, 3, 4});
  step({5, 5, 5, 5});
}

INSTANTIATE_TEST_SUITE_P(EveryFamily, CachedPass, testing::ValuesIn(fixtures::variants()), fixtures::test_name);

}  // namespace
}  // namespace vlsi
