// Streamed models: the same bits as resident ones, and no more memory than a few of their parts.
#include "model/weight_stream.h"

#include <fstream>

#include "checkpoint/fingerprint.h"
#include "checkpoint/initialize.h"
#include "checkpoint/save.h"
#include "family/qwen2_vl/config.h"
#include "tests/checkpoint/model_directory.h"
#include "tests/support/sanitizers.h"

namespace vlsi {
namespace {

using fixtures::at_all_positions;
using fixtures::sample_of;

/// Two micro-batches of the fixture's samples, the first with pictures.
std::vector<Batch> two_batches(const std::string& variant) {
  const auto stored = fixtures::cases(variant);
  return {pack({at_all_positions(sample_of(stored[0])), at_all_positions(sample_of(stored[1]))}),
          pack({at_all_positions(sample_of(stored[2]))})};
}

TEST(StreamedPart, IsTheTowerOrALayer) {
  EXPECT_EQ(streamed_part("projector.mlp.0.weight"), 0);
  EXPECT_EQ(streamed_part("decoder.layers.0.mlp.up_proj.weight"), 1);
  EXPECT_EQ(streamed_part("decoder.layers.27.input_layernorm.weight"), 28);
  for (const char* name : {"embeddings.weight", "decoder.norm.weight", "head.weight"}) {
    EXPECT_EQ(streamed_part(name), std::nullopt) << name;
  }
}

class StreamedModel : public testing::TestWithParam<std::tuple<std::string, at::ScalarType>> {};

TEST_P(StreamedModel, SaysWhatAResidentOneSaysBitForBit) {
  const auto& [variant, dtype] = GetParam();  // stored in float32: read in place, or converted part by part
  at::NoGradGuard no_grad;
  const auto resident = load_vlm(fixtures::directory(variant), dtype);
  const auto streamed = load_vlm(fixtures::directory(variant), dtype, at::kCPU, Residency::kStreamed);
  EXPECT_FALSE(resident->is_streamed());
  ASSERT_TRUE(streamed->is_streamed());
  const auto batches = two_batches(variant);
  const HiddenRequest below{{1}, /*final_rows=*/false, /*all_tokens=*/true}, all{{1, resident->num_layers()}};
  for (const auto& request : {below, all}) {
    const auto together = streamed->forward(batches, request);
    ASSERT_EQ(together.size(), batches.size());
    for (size_t i = 0; i < batches.size(); ++i) {
      const auto expected = resident->forward(batches[i], request), alone = streamed->forward(batches[i], request);
      for (const auto* found : {&together[i], &alone}) {
        EXPECT_TRUE(at::equal(found->layers, expected.layers));
        EXPECT_EQ(found->final_rows.defined(), request.final_rows);
        if (request.final_rows) {
          EXPECT_TRUE(at::equal(found->final_rows, expected.final_rows));
        }
      }
    }
  }
  EXPECT_TRUE(at::equal(streamed->head(), resident->head()));
  EXPECT_EQ(streamed->dtype(), dtype);
}

TEST_P(StreamedModel, HasTheFingerprintOfAResidentOne) {
  const auto& [variant, dtype] = GetParam();
  const auto resident = load_vlm(fixtures::directory(variant), dtype);
  const auto streamed = load_vlm(fixtures::directory(variant), dtype, at::kCPU, Residency::kStreamed);
  Fingerprint found;
  streamed->for_each_weight([&](const std::string& name, const at::Tensor& weight) { found.add(name, weight); });
  EXPECT_EQ(found.text(), fingerprint(resident->named_parameters()));
}

INSTANTIATE_TEST_SUITE_P(Layouts, StreamedModel,
                         testing::Combine(testing::ValuesIn(fixtures::variants()),
                                          testing::Values(at::kFloat, at::kBFloat16)),
                         [](const auto& param) {
                           return fixtures::variant_name(std::get<0>(param.param)) +
                                  c10::toString(std::get<1>(param.param));
                         });

/// A line of /proc/self/status, in bytes.
int64_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == key + ":" && status >> kilobytes) return kilobytes * 1024;
  }
  ADD_FAILURE() << "no " << key;
  return 0;
}

/// How far memory, file pages included, rises above where it is while `action` runs.
int64_t peak_resident_bytes(const std::function<void()>& action) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the high water mark is the present level again
  const int64_t before = status_bytes("VmRSS");
  action();
  return status_bytes("VmHWM") - before;
}

/// A bfloat16 checkpoint of 12 layers of 26 MiB, 320 MiB in all.
ModelConfig large_config() {
  auto config = load_model_config(fixtures::directory("untied"));
  config.text.hidden_size = 1024;
  const auto own = std::make_shared<Qwen2VlConfig>(own_config<Qwen2VlConfig>(config));
  own->hidden_size = 1024;
  config.own = own;
  config.text.intermediate_size = 3840;
  config.text.num_hidden_layers = 12;
  config.text.num_attention_heads = 16;
  config.text.num_key_value_heads = 4;
  config.text.rope_sections = {8, 12, 12};
  return config;
}

TEST(StreamedMemory, IsAFewPartsHowEverLargeTheModel) {
  SKIP_WITH_SANITIZERS();
  at::NoGradGuard no_grad;
  const Folder folder;
  const auto config = large_config();
  const auto directory = folder.path() / "model";
  write_model(directory, config, random_weights(config, Initializer::kFanIn, 1, at::kBFloat16), folder.path(),
              kMaxShardBytes);
  const auto batches = two_batches("untied");
  const auto forward = [&](Residency residency, at::ScalarType dtype) {
    const auto model = load_vlm(directory, dtype, at::kCPU, residency);
    return model->forward(batches, {}).front().final_rows;
  };
  // Products of these sizes once, so that what libraries keep does not count.
  forward(Residency::kStreamed, at::kBFloat16);
  constexpr int64_t kMiB = int64_t{1} << 20, kLayer = 26 * kMiB, kModel = 312 * kMiB,
                    kRest = 40 * kMiB;  // rest: activations
  at::Tensor resident, streamed;
  const int64_t with_resident = peak_resident_bytes([&] { resident = forward(Residency::kResident, at::kBFloat16); });
  EXPECT_GT(with_resident, kModel - kLayer) << "or this test would say little";
  const int64_t with_streamed = peak_resident_bytes([&] { streamed = forward(Residency::kStreamed, at::kBFloat16); });
  EXPECT_LT(with_streamed, 2 * kLayer + kRest) << "the layer at work and the one that is read ahead";
  EXPECT_TRUE(at::equal(streamed, resident));
  // A converted layer is twice as large, and the next one is read as it is stored.
  const int64_t with_converted = peak_resident_bytes([&] { forward(Residency::kStreamed, at::kFloat); });
  EXPECT_LT(with_converted, 4 * kLayer + kRest);
}

}  // namespace
}  // namespace vlsi
