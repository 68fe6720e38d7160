// Loaders of several ranks: the batches of one, and of pictures those alone that a rank trains on.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "data/loader.h"
#include "tests/data/data_files.h"
#include "tests/data/outlining_processor.h"
#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

constexpr int64_t kNumShared = 97, kSharedIterations = 12;
const std::vector<std::string> kTwoGoodEnds(2), kThreeGoodEnds(3);

/// What all loaders have to agree about, of one batch.
struct SharedStep {
  std::vector<std::string> ids;
  std::vector<int64_t> starts, source_tokens;
  Cursor cursor;
  int64_t num_skipped;
  std::vector<std::string> reasons;
  bool operator==(const SharedStep&) const = default;
};

SharedStep shared_step_of(const Loader& loader, const Batch& batch) {
  return {batch.ids,       batch.sequence_starts,  loader.source_tokens(),
          loader.cursor(), loader.skipped().count, loader.skipped().reasons};
}

class LoaderOnRanks : public testing::TestWithParam<uint64_t> {
 protected:
  /// Records of 1 to 9 tokens, two thirds of them with a picture, of which one in `every` is found broken when it is
  /// read.
  Mixture mixture(int64_t every) const {
    for (const char* name : {"good.png", "broken.png"}) folder_.write(name, "");
    std::string text;
    for (int64_t i = 0; i < kNumShared; ++i) {
      const auto image = concat(R"("image": ")", i % every == 1 ? "broken" : "good", R"(.png",)");
      text += record(std::to_string(1 + i * 7 % 9), concat(R"("id": "r)", i, R"(",)", i % 3 == 0 ? "" : image)) + "\n";
    }
    return Mixture({{folder_.write("data.jsonl", text), {}, 1}});
  }

  static LoaderConfig config(OnError on_error = OnError::kSkip) {
    LoaderConfig config;
    config.seed = GetParam();
    config.batch_tokens = 20;
    config.num_workers = 2;
    config.on_error = on_error;
    return config;
  }

  static LoaderConfig config_of(const Ranks& ranks, int64_t num_batches, OnError on_error = OnError::kSkip) {
    auto shared = config(on_error);
    const auto share = [&](int64_t rank) { return num_batches * rank / ranks.size(); };
    shared.share = {&ranks, num_batches, share(ranks.rank()), share(ranks.rank() + 1)};
    return shared;
  }

  const Folder folder_;
};

TEST_P(LoaderOnRanks, GiveTheBatchesOfOneAndReadThePicturesOfTheirOwn) {
  for (const int64_t every : {int64_t{1000}, int64_t{10}}) {
    const auto data = mixture(every);
    for (const int64_t num_batches : {2, 5}) {
      const OutliningProcessor alone;
      Loader whole(data, alone, config());
      std::vector<SharedStep> steps;
      std::vector<at::Tensor> patches;
      for (int64_t i = 0; i < kSharedIterations * num_batches; ++i) {
        const auto batch = whole.next();
        steps.push_back(shared_step_of(whole, batch));
        patches.push_back(batch.patches);
      }
      const auto run = [&](const Ranks& ranks) {
        const OutliningProcessor processor;
        const auto shared = config_of(ranks, num_batches);
        Loader loader(data, processor, shared);
        for (int64_t i = 0; i < kSharedIterations * num_batches; ++i) {
          const auto batch = loader.next();
          EXPECT_EQ(shared_step_of(loader, batch), steps[i]) << i;
          const int64_t number = i % num_batches;
          const bool is_mine = number >= shared.share.first && number < shared.share.end;
          EXPECT_EQ(batch.patches.defined(), is_mine && patches[i].defined()) << i;
          EXPECT_TRUE(!batch.patches.defined() || at::equal(batch.patches, patches[i])) << i;
        }
        // Each reads its share; at most an iteration ahead, and what changed hands when a record was left out.
        const double share =
            static_cast<double>(shared.share.end - shared.share.first) / static_cast<double>(num_batches);
        EXPECT_LT(processor.num_read, (share + 0.2) * alone.num_read);
        EXPECT_GT(processor.num_read, (share - 0.2) * alone.num_read);
      };
      EXPECT_EQ(in_ranks(2, run), kTwoGoodEnds);
      EXPECT_EQ(in_ranks(3, run), kThreeGoodEnds);
    }
  }
}

TEST_P(LoaderOnRanks, GoOnFromAnIterationsEndAsIfTheyHadNotStopped) {
  const auto data = mixture(10);
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       const OutliningProcessor processor;
                       Loader first(data, processor, config_of(ranks, 3));
                       for (int i = 0; i < 6; ++i) first.next();
                       Loader second(data, processor, config_of(ranks, 3), first.cursor());
                       for (int i = 0; i < 9; ++i) {
                         const auto expected = first.next();
                         EXPECT_EQ(second.next().ids, expected.ids) << i;
                         EXPECT_EQ(second.cursor(), first.cursor()) << i;
                       }
                     }),
            kTwoGoodEnds);
}

TEST_P(LoaderOnRanks, GiveWholeBatchesOfOthersWhereTheyAreAskedFor) {
  const auto data = mixture(10);
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       const OutliningProcessor processor;
                       Loader shared(data, processor, config_of(ranks, 2)), alone(data, processor, config());
                       for (int i = 0; i < 6; ++i) {
                         const auto batch = shared.next_whole(), expected = alone.next();
                         EXPECT_EQ(shared_step_of(shared, batch), shared_step_of(alone, expected)) << i;
                         EXPECT_EQ(batch.sample_fingerprints, expected.sample_fingerprints);
                         EXPECT_EQ(batch.patches.defined(), expected.patches.defined());
                       }
                     }),
            kTwoGoodEnds);
}

TEST_P(LoaderOnRanks, StopWhereAPictureOfOneIsBroken) {
  const auto data = mixture(40);
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    const OutliningProcessor processor;
    Loader loader(data, processor, config_of(ranks, 2, OnError::kStop));
    for (int i = 0; i < 200; ++i) {
      if (i % 2 == 0) ranks.wait_for_all();
      loader.next();
    }
  });
  for (const auto& error : errors) EXPECT_NE(error.find("cannot read picture broken.png"), std::string::npos) << error;
}

TEST_P(LoaderOnRanks, RefuseAnEpochWithoutAGoodRecord) {
  folder_.write("broken.png", "");
  const auto bad = record("3", R"("image": "broken.png",)") + "\n";
  const Mixture data({{folder_.write("bad.jsonl", bad + bad + bad), {}, 1}});
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    const OutliningProcessor processor;
    Loader loader(data, processor, config_of(ranks, 2));
    loader.next();
  });
  for (const auto& error : errors) {
    EXPECT_NE(error.find("every one of the 3 records of epoch 0 was left out"), std::string::npos) << error;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, LoaderOnRanks, testing::Range<uint64_t>(1, 5));

}  // namespace
}  // namespace vlsi
