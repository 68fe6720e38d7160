// A pass over new tokens behind cached ones gives the rows of a pass over all of them.
#include "model/kv_cache.h"

#include <algorithm>

#include "tests/model/fixtures.h"

namespace vlsi {
namespace kv_cache_tests {

using fixtures::difference;

// The same float32 sums over up to 60 keys, by another kernel.
constexpr double kTolerance = 1e-5;

/// Sequences in a cache whose blocks are dealt out in turn, so that no sequence has neighbouring ones.
class CachedPasses : public testing::TestWithParam<std::string> {
 protected:
  static constexpr int64_t kBlocksEach = 6;

  void SetUp() override {
    for (const auto& stored : fixtures::cases(GetParam())) sequences_.push_back(fixtures::prompt_of(stored));
    sequences_.resize(3);
    const auto num_blocks = kBlocksEach * std::ssize(sequences_);
    cache_ = std::make_unique<KvCache>(model_->config().text, num_blocks, at::TensorOptions(at::kFloat));
    cached_.resize(sequences_.size());
    for (int32_t i = 0; i < num_blocks; ++i) cached_[i % cached_.size()].blocks.push_back(i);
    for (const auto& sequence : sequences_) ends_.push_back(std::ssize(sequence.tokens));
  }

  void append(int64_t index, const std::vector<int32_t>& tokens) {
    auto& sequence = sequences_[index];
    for (const int32_t token : tokens) {
      sequence.tokens.push_back(token);
      for (auto& axis : sequence.positions) axis.push_back(sequence.next_position);
      ++sequence.next_position;
    }
    ends_[index] += std::ssize(tokens);
  }

  /// Passes over `counts` more tokens of each sequence together and expects the last rows of whole passes.
  void pass(const std::vector<int64_t>& counts) {
    Batch batch;
    std::vector<int64_t> tokens, last, image_tokens;
    std::vector<std::vector<int64_t>> positions(sequences_[0].positions.size());
    std::vector<at::Tensor> rows;
    std::vector<std::vector<at::Tensor>> added(model_->config().text.rows_added_after.size());
    batch.sequence_starts = {0};
    for (size_t i = 0; i < sequences_.size(); ++i) {
      const auto& sequence = sequences_[i];
      const int64_t past = cached_[i].num_past + cached_[i].num_new;
      cached_[i] = {cached_[i].blocks, past, counts[i]};
      const auto pictures =
          sequence.images.empty() ? PictureRows{} : model_->look_at_pictures(pack({sequence}), nullptr);
      for (int64_t token = past; token < past + counts[i]; ++token) {
        const auto& places = sequence.image_token_positions;
        const auto place = std::find(places.begin(), places.end(), token) - places.begin();
        if (place < std::ssize(places)) {
          image_tokens.push_back(std::ssize(tokens));
          rows.push_back(pictures.rows.narrow(0, place, 1));
          for (size_t k = 0; k < added.size(); ++k) added[k].push_back(pictures.added[k].narrow(0, place, 1));
        }
        tokens.push_back(sequence.tokens[token]);
        for (size_t axis = 0; axis < positions.size(); ++axis)
          positions[axis].push_back(sequence.positions[axis][token]);
      }
      batch.sequence_starts.push_back(std::ssize(tokens));
      last.push_back(std::ssize(tokens) - 1);
    }
    batch.tokens = at::tensor(tokens, at::kLong);
    std::vector<at::Tensor> axes;
    for (const auto& axis : positions) axes.push_back(at::tensor(axis, at::kLong));
    batch.positions = at::stack(axes);
    batch.answer_positions = at::tensor(last, at::kLong);
    batch.image_token_positions = at::tensor(image_tokens, at::kLong);
    PictureRows pictures;
    if (!rows.empty()) {
      pictures.rows = at::cat(rows);
      for (const auto& rows_of_layer : added) pictures.added.push_back(at::cat(rows_of_layer));
    }
    const auto found = model_->forward_cached(batch, pictures, CachedPass(*cache_, cached_)).final_rows;
    for (size_t i = 0; i < sequences_.size(); ++i) {
      auto whole = sequences_[i];
      const int64_t length = cached_[i].num_past + cached_[i].num_new;
      whole.answer_positions = {static_cast<int32_t>(length) - 1};
      const auto expected = model_->forward(pack({whole}), {}).final_rows[0];
      EXPECT_LE(difference(found[static_cast<int64_t>(i)], expected), kTolerance) << whole.id << " at " << length;
    }
  }

  std::vector<int64_t> left() const {
    std::vector<int64_t> counts;
    for (size_t i = 0; i < ends_.size(); ++i) counts.push_back(ends_[i] - cached_[i].num_past - cached_[i].num_new);
    return counts;
  }

  at::NoGradGuard no_grad_;
  std::shared_ptr<Vlm> model_ = load_vlm(fixtures::directory(GetParam()), at::kFloat);
  std::vector<Sample> sequences_;
  std::vector<int64_t> ends_;
  std::vector<CachedSequence> cached_;
  std::unique_ptr<KvCache> cache_;
};

TEST_P(CachedPasses, GiveTheRowsOfWholeOnes) {
  pass(left());
  for (int32_t token = 1; token < 20; ++token) {
    for (int64_t i = 0; i < 3; ++i) append(i, {static_cast<int32_t>(token + 7 * i)});
    pass({1, 1, 1});
  }
}

TEST_P(CachedPasses, GiveTheRowsOfWholeOnesPieceByPiece) {
  pass({4, 2, 3});
  pass({1, 3, 2});
  pass(left());
  for (int64_t i = 0; i < 3; ++i) append(i, {5, 6, 7, 8});
  pass({3, 1, 2});
  pass({1, 3, 2});
}

TEST_P(CachedPasses, ReadCopiedBlocks) {
  pass(left());
  for (auto& sequence : cached_) {
    std::swap(sequence.blocks[0], sequence.blocks[kBlocksEach - 1]);
    cache_->copy_block(sequence.blocks[kBlocksEach - 1], sequence.blocks[0]);
  }
  for (int64_t i = 0; i < 3; ++i) append(i, {9});
  pass({1, 1, 1});
}

INSTANTIATE_TEST_SUITE_P(EveryFamily, CachedPasses, testing::ValuesIn(fixtures::variants()), fixtures::test_name);

}  // namespace kv_cache_tests
}  // namespace vlsi
