// The loop over micro-batches that are changed before they are trained on.
#include "train/rewriting.h"

#include "data/unpack.h"
#include "tests/support/in_ranks.h"
#include "tests/train/pull.h"

namespace vlsi {
namespace {

namespace rewriting_fixture {

using namespace pull_fixture;

/// Makes a micro-batch of every sample, and remembers the samples of earlier iterations.
class OneByOne : public Rewriting {
 public:
  std::optional<Rewritten> rewrite(int64_t iteration, const std::vector<Batch>& batches) override {
    iterations.push_back(iteration);
    if (iteration == interrupted_at) return std::nullopt;
    Rewritten rewritten;
    rewritten.news = OrderedJson::array();
    for (const auto& batch : batches) {
      for (const auto& sample : unpack_pairs(batch)) {
        rewritten.batches.push_back(pack_pairs({sample}));
        rewritten.news.push_back(concat(iteration, ' ', sample.own.id));
      }
    }
    const auto count = static_cast<double>(rewritten.batches.size());
    rewritten.means["made"] = {at::scalar_tensor(count * count), count};
    return rewritten;
  }
  void remember(const Json& news, const std::string&) override {
    for (const auto& item : news) known.push_back(item.get<std::string>());
  }
  OrderedJson memory() const override { return known; }

  std::vector<int64_t> iterations;
  std::vector<std::string> known;
  int64_t interrupted_at = 0;
};

struct RewrittenTask : Task {
  RewrittenTask() { step.rewriting = &rewriting; }
  OneByOne rewriting;
};

TEST(Rewriting, CountsAndTrainsOnWhatTheMicroBatchesBecame) {
  const Folder folder;
  Task plain;
  train_in(folder / "plain", plain);
  RewrittenTask task;
  train_in(folder / "run", task);
  const auto before = metrics_of(folder / "plain"), metrics = metrics_of(folder / "run");
  ASSERT_EQ(metrics.size(), 6);
  EXPECT_EQ(task.rewriting.iterations, (std::vector<int64_t>{1, 2, 3, 4, 5, 6}));
  size_t next = 0;
  for (size_t i = 0; i < metrics.size(); ++i) {
    EXPECT_EQ(metrics[i]["answer_tokens"], before[i]["answer_tokens"]) << "samples are the same";
    EXPECT_EQ(metrics[i]["tokens"], before[i]["tokens"]);
    const auto count = metrics[i]["made"].get<double>();
    EXPECT_GT(count, 2);
    EXPECT_EQ(metrics[i]["sizes"].size(), static_cast<size_t>(count));
    double loss = 0, positions = 0;
    for (size_t j = 0; j < static_cast<size_t>(count); ++j, ++next) {
      loss += task.losses[next];
      positions += static_cast<double>(task.sizes[next]);
    }
    EXPECT_EQ(metrics[i]["answer_tokens"].get<double>(), positions);
    EXPECT_DOUBLE_EQ(metrics[i]["loss"].get<double>(), loss / positions);
  }
  EXPECT_EQ(next, task.losses.size());
}

TEST(Rewriting, IsToldOfWhatItRememberedWhenTheRunGoesOn) {
  const Folder folder;
  RewrittenTask whole;
  train_in(folder / "whole", whole, 4);
  RewrittenTask first;
  first.rewriting.interrupted_at = 5;
  EXPECT_EQ(train_in(folder / "parts", first, 2), Outcome::kInterrupted);
  EXPECT_EQ(metrics_of(folder / "parts").size(), 4U);
  RewrittenTask second;
  EXPECT_EQ(train_in(folder / "parts", second, 2), Outcome::kFinished);
  EXPECT_EQ(second.rewriting.iterations, (std::vector<int64_t>{5, 6}));
  EXPECT_EQ(second.rewriting.known, whole.rewriting.known);
  EXPECT_EQ(metrics_of(folder / "parts"), metrics_of(folder / "whole"));
  EXPECT_TRUE(at::equal(second.w, whole.w));
  EXPECT_EQ(second.random.state(), whole.random.state());
}

TEST(Rewriting, OnRanksIsThatOfOneWithAsManyMicroBatches) {
  const Folder folder;
  RewrittenTask alone;
  alone.step.optimizer.accumulate = 4;
  train_in(folder / "alone", alone);
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       RewrittenTask task;
                       train_in(folder / "two", task, 100, ranks);
                       EXPECT_EQ(task.random.state(), alone.random.state());
                       EXPECT_EQ(task.rewriting.known, alone.rewriting.known) << "in the order of the ranks";
                       // float32 sums of gradients in another order
                       EXPECT_TRUE(at::allclose(task.w, alone.w, 1e-6));
                     }),
            std::vector<std::string>(2));
  const auto found = metrics_of(folder / "two"), wanted = metrics_of(folder / "alone");
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    for (const char* key : {"answer_tokens", "tokens", "sizes"}) EXPECT_EQ(found[i][key], wanted[i][key]) << key;
    // as above
    EXPECT_NEAR(found[i]["loss"].get<double>(), wanted[i]["loss"].get<double>(),
                1e-6 * wanted[i]["loss"].get<double>());
  }
}

TEST(Rewriting, ThatOneRankBreaksOffEndsTheIterationOfAll) {
  const Folder folder;
  EXPECT_EQ(in_ranks(2,
                     [&](const Ranks& ranks) {
                       RewrittenTask task;
                       if (!ranks.is_first()) task.rewriting.interrupted_at = 3;
                       EXPECT_EQ(train_in(folder / "run", task, 100, ranks), Outcome::kInterrupted);
                     }),
            std::vector<std::string>(2));
  EXPECT_EQ(metrics_of(folder / "run").size(), 2U);
}

}  // namespace rewriting_fixture
}  // namespace
}  // namespace vlsi
