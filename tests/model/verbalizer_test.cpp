// Verbalizers: the formula, their files, and the backbones they may not be used with.
#include "model/verbalizer.h"

#include "base/json.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::by_name;
using fixtures::difference;
using fixtures::message_of;
using fixtures::random;

const BackboneFingerprint kBackbone{8, 5, 20, "aaaa", "bbbb"};

class VerbalizersTest : public testing::Test {
 protected:
  VerbalizersTest() : made_(8, {1, 3, 4}, /*seed=*/5) {}

  std::filesystem::path save() const {
    const auto directory = folder_.path() / "verbalizers";
    made_.save(directory, kBackbone);
    return directory;
  }
  std::string load_error(const BackboneFingerprint& backbone, const std::vector<int64_t>& layers = {1, 3, 4}) const {
    const auto directory = save();
    return message_of([&] { Verbalizers::load(directory, backbone, layers); });
  }

  fixtures::TemporaryFolder folder_;
  Verbalizers made_;
};

TEST_F(VerbalizersTest, ApplyTheFormulaToEachLayer) {
  const auto hidden = random({3, 7, 8}, 1);
  const auto found = made_.forward(hidden);
  ASSERT_EQ(found.sizes(), hidden.sizes());
  const auto parameters = by_name(made_.named_parameters());
  const std::vector<int64_t> layers{1, 3, 4};
  for (int64_t i = 0; i < 3; ++i) {
    const auto weight = [&](const char* name) {
      return parameters.at(concat("layers.", layers[i], '.', name, ".weight")).to(at::kDouble);
    };
    const auto h = hidden[i].to(at::kDouble), gate = at::mm(h, weight("gate").t());
    const auto expected = at::mm(gate * at::sigmoid(gate) * at::mm(h, weight("up").t()), weight("down").t());
    EXPECT_LE(difference(found[i], expected), 1e-5);  // float32 sums of eight products of a few units
  }
}

TEST_F(VerbalizersTest, ReadRowsOfAnyTypeInTheirOwn) {
  const auto hidden = random({3, 7, 8}, 1).to(at::kBFloat16);
  const auto found = made_.forward(hidden);
  EXPECT_EQ(found.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(found, made_.forward(hidden.to(at::kFloat))));
}

TEST_F(VerbalizersTest, AreAFunctionOfTheirSeed) {
  const Verbalizers same(8, {1, 3, 4}, 5), other(8, {1, 3, 4}, 6);
  const auto first = made_.named_parameters(), second = same.named_parameters(), third = other.named_parameters();
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(at::equal(first[i].second, second[i].second)) << first[i].first;
    EXPECT_FALSE(at::equal(first[i].second, third[i].second)) << first[i].first;
  }
}

TEST_F(VerbalizersTest, DrawTheStandardDeviationOfTheirWidth) {
  const Verbalizers wide(64, {2}, 1);
  for (const auto& [name, value] : wide.named_parameters()) {
    // Of 4096 values: five standard errors are 5 / (8 sqrt(8192)).
    EXPECT_NEAR(value.std().item<double>(), 0.125, 0.007) << name;
  }
}

TEST_F(VerbalizersTest, ReadBackWhatTheySaved) {
  const auto loaded = Verbalizers::load(save(), kBackbone, {1, 3, 4});
  EXPECT_EQ(loaded->layers(), made_.layers());
  const auto expected = by_name(made_.named_parameters());
  for (const auto& [name, value] : loaded->named_parameters()) {
    EXPECT_TRUE(at::equal(value, expected.at(name))) << name;
    EXPECT_FALSE(value.requires_grad()) << name;
  }
}

TEST_F(VerbalizersTest, LeaveOutLayersThatAreNotAskedFor) {
  const auto loaded = Verbalizers::load(save(), kBackbone, {3});
  EXPECT_EQ(loaded->layers(), std::vector<int64_t>{3});
  const auto hidden = random({3, 7, 8}, 1);
  EXPECT_LE(difference(loaded->forward(hidden.narrow(0, 1, 1))[0], made_.forward(hidden)[1]), 1e-6);
}

TEST_F(VerbalizersTest, RefuseABackboneOfAnotherShapeOrHead) {
  const auto expect = [&](auto member, auto value, const std::string& text) {
    auto other = kBackbone;
    other.*member = value;
    const auto message = load_error(other);
    EXPECT_NE(message.find(text), std::string::npos) << message;
    EXPECT_NE(message.find("verbalizers.json"), std::string::npos) << message;
  };
  expect(&BackboneFingerprint::width, 16, "width is 8, this one's is 16");
  expect(&BackboneFingerprint::num_layers, 6, "num_layers is 5, this one's is 6");
  expect(&BackboneFingerprint::vocab_size, 21, "vocab_size is 20, this one's is 21");
  expect(&BackboneFingerprint::head, "cccc", "head is aaaa, this one's is cccc");
}

TEST_F(VerbalizersTest, OnlyNoteOtherDecoderWeights) {
  auto other = kBackbone;
  other.layers = "cccc";
  const auto directory = save();
  testing::internal::CaptureStderr();
  const auto loaded = Verbalizers::load(directory, other, {1, 3, 4});
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("other decoder weights"), std::string::npos) << log;
  EXPECT_EQ(loaded->layers().size(), 3U);
}

TEST_F(VerbalizersTest, NameTheLayerThatIsMissing) {
  const auto message = load_error(kBackbone, {1, 2});
  EXPECT_NE(message.find("none for layer 2"), std::string::npos) << message;
}

TEST_F(VerbalizersTest, RefuseFilesThatDoNotFitTogether) {
  const auto directory = save();
  const auto weights = directory / "verbalizers.safetensors";
  const auto parameters = made_.named_parameters();
  const auto error = [&] { return message_of([&] { Verbalizers::load(directory, kBackbone, {1, 3, 4}); }); };

  write_safetensors(weights, NamedTensors(parameters.begin() + 1, parameters.end()));
  EXPECT_NE(error().find("missing layers.1.gate.weight"), std::string::npos) << error();
  auto misshapen = parameters;
  misshapen.back().second = at::zeros({8, 7});
  write_safetensors(weights, misshapen);
  EXPECT_NE(error().find("layers.4.down.weight is [8, 7], expected [8, 8]"), std::string::npos) << error();
  auto description = read_json(directory / "verbalizers.json");
  description["architecture"] = "other";
  write_json(directory / "verbalizers.json", description);
  EXPECT_NE(error().find("architecture is 'other'"), std::string::npos) << error();
  std::filesystem::remove(directory / "verbalizers.json");
  EXPECT_NE(error().find("verbalizers.json"), std::string::npos) << error();
}

TEST(BackboneFingerprintOf, TellsHeadAndDecoderApart) {
  const auto fingerprint = [](const char* changed) {
    const auto model = load_vlm(fixtures::directory("untied"), at::kFloat);
    for (auto& [name, value] : model->named_parameters()) {
      if (name == changed) value.set_data(value + 1);
    }
    return BackboneFingerprint::of(*model);
  };
  const auto plain = fingerprint("");
  EXPECT_EQ(plain.width, 48);
  EXPECT_EQ(plain.num_layers, 3);
  EXPECT_EQ(plain.vocab_size, 128);
  EXPECT_EQ(plain.head.size(), 16U);
  const auto expect_changed = [&](const char* name, bool head, bool layers) {
    const auto found = fingerprint(name);
    EXPECT_EQ(found.head != plain.head, head) << name;
    EXPECT_EQ(found.layers != plain.layers, layers) << name;
  };
  expect_changed("", false, false);
  expect_changed("lm_head.weight", true, false);
  expect_changed("model.layers.2.mlp.down_proj.weight", false, true);
  expect_changed("visual.patch_embed.proj.weight", false, false);
}

}  // namespace
}  // namespace vlsi
