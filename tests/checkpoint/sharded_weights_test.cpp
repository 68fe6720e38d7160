// Models that several ranks hold together: the same bits as a resident one, and a share of the weights in each.
#include "checkpoint/sharded_weights.h"

#include "checkpoint/fingerprint.h"
#include "tests/checkpoint/model_directory.h"
#include "tests/support/counting_ranks.h"
#include "tests/support/in_ranks.h"

namespace vlsi {
namespace {

using fixtures::at_all_positions;
using fixtures::sample_of;

/// Runs `action` as each of `size` ranks.
void run_together(int64_t size, const std::function<void(const Ranks&)>& action) {
  const auto errors = in_ranks(size, [&](const Ranks& ranks) {
    at::NoGradGuard no_grad;
    action(ranks);
  });
  EXPECT_EQ(errors, std::vector<std::string>(size));
}

class ShardedModel : public testing::TestWithParam<std::tuple<std::string, at::ScalarType, int64_t>> {};

TEST_P(ShardedModel, SaysWhatAResidentOneSaysBitForBit) {
  const auto& [variant, dtype, size] = GetParam();
  const auto& name = variant;
  const auto type = dtype;
  const auto stored = fixtures::cases(name);
  const std::vector<Batch> batches{
      pack({at_all_positions(sample_of(stored[0])), at_all_positions(sample_of(stored[1]))}),
      pack({at_all_positions(sample_of(stored[2]))})};
  ASSERT_TRUE(batches[0].patches.defined());
  at::NoGradGuard no_grad;
  const auto resident = load_vlm(fixtures::directory(name), type);
  const HiddenRequest request{{1, resident->num_layers()}};
  std::vector<Hidden> expected;
  for (const auto& batch : batches) expected.push_back(resident->forward(batch, request));
  const auto print = fingerprint(resident->named_parameters());

  run_together(size, [&](const Ranks& ranks) {
    const auto model = load_vlm(fixtures::directory(name), type, at::kCPU, Residency::kSharded, ranks);
    EXPECT_TRUE(model->is_streamed());
    // Another share of the batches on each: both, the last one, none.
    const auto share = std::span(batches).subspan(std::min<size_t>(ranks.rank(), batches.size()));
    const auto found = model->forward(share, request);
    ASSERT_EQ(found.size(), share.size());
    for (size_t i = 0; i < found.size(); ++i) {
      const auto& wanted = expected[i + batches.size() - share.size()];
      EXPECT_TRUE(at::equal(found[i].layers, wanted.layers));
      EXPECT_TRUE(at::equal(found[i].final_rows, wanted.final_rows));
    }
    Fingerprint all;
    model->for_each_weight([&](const std::string& weight, const at::Tensor& values) { all.add(weight, values); });
    EXPECT_EQ(all.text(), print);
  });
}

INSTANTIATE_TEST_SUITE_P(Layouts, ShardedModel,
                         testing::Combine(testing::ValuesIn(fixtures::variants()),
                                          testing::Values(at::kFloat, at::kBFloat16), testing::Values(2, 3)),
                         [](const auto& param) {
                           return concat(fixtures::variant_name(std::get<0>(param.param)),
                                         c10::toString(std::get<1>(param.param)), std::get<2>(param.param));
                         });

TEST(ShardedWeights, KeepAShareOfEachPartAndNoneOfTheWhole) {
  constexpr int64_t kSize = 3;
  run_together(kSize, [&](const Ranks& ranks) {
    const CountingRanks counting(ranks);
    const at::Tensor first = at::arange(1000).to(at::kFloat).view({10, 100}), second = at::arange(7).to(at::kFloat);
    at::Tensor a = at::zeros({10, 100}), b = at::zeros({7});
    WeightStream stream(sharded_weights({{{a, first}, {b, second}}}, at::kFloat, counting));
    EXPECT_EQ(a.storage().nbytes(), sizeof(float)) << "one value stands for all";
    EXPECT_EQ(a.sizes(), first.sizes());
    {
      const auto held = stream.hold(0);
      EXPECT_TRUE(at::equal(a, first));
      EXPECT_TRUE(at::equal(b, second));
    }
    EXPECT_EQ(a.storage().nbytes(), sizeof(float));
    EXPECT_EQ(counting.num_given(), (1024 + 64) / kSize + 1);
  });
}

TEST(ShardedWeights, OfOneRankAreResident) {
  EXPECT_FALSE(load_vlm(fixtures::directory("tied"), at::kFloat, at::kCPU, Residency::kSharded)->is_streamed());
}

}  // namespace
}  // namespace vlsi
