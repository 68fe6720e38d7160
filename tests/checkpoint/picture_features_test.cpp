// What a model makes of pictures is the same whether they are encoded, remembered or read.
#include "checkpoint/picture_features.h"

#include <thread>

#include "model/parts.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// Final rows of the stored samples, with and without pictures.
at::Tensor rows_of(const Vlm& model, const std::string& variant, const fs::path& directory = {}) {
  at::NoGradGuard no_grad;
  std::vector<Sample> samples;
  for (const auto& stored : fixtures::cases(variant)) samples.push_back(fixtures::sample_of(stored));
  KeptPictureFeatures pictures(directory);
  return model.forward(pack(samples), {}, &pictures).final_rows;
}

class ModelWithPictureFeatures : public testing::TestWithParam<std::tuple<std::string, at::ScalarType>> {};

TEST_P(ModelWithPictureFeatures, GivesTheSameRowsWhetherItLooksOrReads) {
  const auto& [variant, dtype] = GetParam();
  const auto load = [&variant, dtype] {
    auto model = load_vlm(fixtures::directory(variant), dtype);
    make_trainable(*model, {}, "test");
    return model;
  };
  const Folder folder;
  const auto expected = rows_of(*load(), variant);
  fs::path kept;
  for (const bool is_first : {true, false}) {
    const auto model = load();
    EXPECT_TRUE(rows_of(*model, variant, folder.path()).equal(expected)) << is_first;
    for (const auto& entry : fs::directory_iterator(folder.path())) kept = entry.path();
  }
  // It does read: other features, other rows.
  const auto shard = SafetensorsFile::open(kept / "features-00000.safetensors");
  const auto features = shard->tensor("features"), starts = shard->tensor("starts"), pictures = shard->tensor("keys");
  EXPECT_EQ(features.scalar_type(), dtype);
  const Folder other;
  {
    FeatureFiles files(other.path(), kept.filename().string(), features.size(1), dtype);
    const auto* at = starts.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < pictures.size(0); ++i) {
      files.insert(pictures.const_data_ptr<uint64_t>()[i], features.narrow(0, at[i], at[i + 1] - at[i]).flip({1}));
    }
  }
  const auto model = load();
  EXPECT_FALSE(rows_of(*model, variant, other.path()).equal(expected));
}

INSTANTIATE_TEST_SUITE_P(EveryFamily, ModelWithPictureFeatures,
                         testing::Combine(testing::ValuesIn(fixtures::variants()),
                                          testing::Values(at::kFloat, at::kBFloat16)),
                         [](const auto& param) {
                           return fixtures::variant_name(std::get<0>(param.param)) +
                                  c10::toString(std::get<1>(param.param));
                         });

TEST(ModelWhoseTowerLearns, KeepsNoPictureFeatures) {
  const Folder folder;
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  make_trainable(*model, {"vision"}, "test");
  rows_of(*model, "tied", folder.path());
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(PictureFeatures, AreSharedByThreads) {
  at::NoGradGuard no_grad;
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  KeptPictureFeatures pictures;
  std::vector<Batch> batches;
  std::vector<at::Tensor> expected;
  for (const auto& stored : fixtures::cases("tied")) {
    batches.push_back(pack({fixtures::sample_of(stored)}));
    expected.push_back(model->forward(batches.back(), {}).final_rows);
  }
  std::vector<std::thread> threads;
  std::vector<at::Tensor> found(2 * batches.size());
  for (size_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      at::NoGradGuard no_grad_here;
      for (int round = 0; round < 10; ++round) {
        for (size_t i = 0; i < batches.size(); ++i) {
          const size_t index = t == 0 ? i : batches.size() - 1 - i;  // different pictures at the same time
          found[t * batches.size() + index] = model->forward(batches[index], {}, &pictures).final_rows;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(at::equal(found[i], expected[i % batches.size()])) << i;
}

TEST(PictureFeatures, TakeNothingNewWhenTheirMemoryIsFull) {
  at::NoGradGuard no_grad;
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto batch = pack({fixtures::sample_of(fixtures::Case("tied", "one_image"))});
  KeptPictureFeatures none({}, /*capacity_bytes=*/1), kept;
  const auto of = [&](vlsi::PictureFeatures& pictures) {
    return pictures.of(model->tower(), 7, batch.patches, batch.pictures.front());
  };
  const auto first = of(kept);
  EXPECT_TRUE(of(kept).is_same(first));
  const auto again = of(none);
  EXPECT_FALSE(of(none).is_same(again));
  EXPECT_TRUE(at::equal(again, first));
}

}  // namespace
}  // namespace vlsi
