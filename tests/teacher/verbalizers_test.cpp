// Sets of verbalizers: what they compute and start with, their files, and the backbones they may not be used with.
#include "teacher/verbalizers.h"

#include "base/json.h"
#include "model/fused.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::by_name;
using fixtures::difference;
using fixtures::random;

const BackboneFingerprint kBackbone{8, 5, 20, "aaaa", "bbbb", "float32"};

/// Sizes of a backbone; its FFN is wider than the decoder.
TextConfig sizes(int64_t width = 8) {
  TextConfig config;
  config.hidden_size = width;
  config.intermediate_size = 3 * width;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  return config;
}

constexpr double kEps = 1e-5;  // the default of the final norm

Verbalizers make(const std::string& network, bool residual = false, bool final_norm = false) {
  return {{ChosenNetwork(network), residual, final_norm}, sizes(), {1, 3, 4}, /*seed=*/5};
}

/// x + y or y, as the options say.
at::Tensor joined(const Verbalizers& verbalizers, const at::Tensor& x, const at::Tensor& y) {
  return verbalizers.config().residual ? x + y : y;
}

/// The formulas of the row-wise architectures, in float64.
at::Tensor plain(const Verbalizers& verbalizers, const at::Tensor& hidden) {
  const auto parameters = by_name(verbalizers.named_parameters());
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < verbalizers.layers().size(); ++i) {
    const auto prefix = concat("layers.", verbalizers.layers()[i], '.');
    const auto architecture = verbalizers.config().architecture.text();
    const bool twice = architecture.ends_with("_x2");
    auto x = hidden[static_cast<int64_t>(i)].to(at::kDouble);
    for (int block = 0; block < (twice ? 2 : 1); ++block) {
      const auto times = [&](const at::Tensor& rows, const char* name) {
        const auto& weight = parameters.at(prefix + (twice ? concat(block, '.') : "") + name + ".weight");
        return at::mm(rows, weight.to(at::kDouble).t());
      };
      if (architecture.starts_with("mlp")) {
        // GELU with the normal distribution's function, not its approximation by tanh.
        const auto input = block == 0 ? x : x * 0.5 * (1 + at::erf(x / std::sqrt(2.0)));
        x = joined(verbalizers, x, times(input, "map"));
      } else {
        const auto gate = times(x, "gate");
        x = joined(verbalizers, x, times(gate * at::sigmoid(gate) * times(x, "up"), "down"));
      }
    }
    if (verbalizers.config().final_norm) {
      x = x / at::sqrt(x.square().mean(-1, true) + kEps) * parameters.at("norm.weight").to(at::kDouble);
    }
    outputs.push_back(x);
  }
  return at::stack(outputs);
}

class VerbalizersTest : public testing::Test {
 protected:
  VerbalizersTest() : made_(make("verb_ffn")) {}

  std::filesystem::path save() const {
    const auto directory = folder_.path() / "verbalizers";
    made_.save(directory, kBackbone);
    return directory;
  }
  std::string load_error(const BackboneFingerprint& backbone, const std::vector<int64_t>& layers = {1, 3, 4}) const {
    const auto directory = save();
    return message_of([&] { Verbalizers::load(directory, sizes(), backbone, layers); });
  }

  Folder folder_;
  Verbalizers made_;
};

TEST(Verbalizer, ComputesTheFormulaOfEveryRowwiseArchitectureAndOption) {
  const auto hidden = random({3, 7, 8}, 1);
  for (const auto& network : verbalizer_networks()) {
    if (network.reads_all_tokens) continue;
    const auto& name = network.name;
    for (const bool residual : {false, true}) {
      for (const bool final_norm : {false, true}) {
        const auto verbalizers = make(name, residual, final_norm);
        uint64_t seed = 10;
        for (auto& [parameter_name, value] : verbalizers.named_parameters()) {
          // A residual network's last maps start at zero, and a norm at one: nothing would be seen of them.
          value.set_data(random(value.sizes(), seed++) / (value.dim() == 2 ? std::sqrt(8.0) : 1.0));
        }
        const auto found = verbalizers.forward(hidden, {});
        ASSERT_EQ(found.sizes(), hidden.sizes());
        const auto wanted = plain(verbalizers, hidden);
        // float32 sums of at most 24 products, of the size of the largest value.
        EXPECT_LE(difference(found, wanted), 3e-6 * std::max(1.0, wanted.abs().max().item<double>()))
            << name << residual << final_norm;
      }
    }
  }
}

TEST_F(VerbalizersTest, ReadRowsOfAnyTypeInTheirOwn) {
  const auto hidden = random({3, 7, 8}, 1).to(at::kBFloat16);
  const auto found = made_.forward(hidden, {});
  EXPECT_EQ(found.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(found, made_.forward(hidden.to(at::kFloat), {})));
}

TEST_F(VerbalizersTest, AreAFunctionOfTheirSeed) {
  const Verbalizers same({}, sizes(), {1, 3, 4}, 5), other({}, sizes(), {1, 3, 4}, 6);
  const auto first = made_.named_parameters(), second = same.named_parameters(), third = other.named_parameters();
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(at::equal(first[i].second, second[i].second)) << first[i].first;
    EXPECT_FALSE(at::equal(first[i].second, third[i].second)) << first[i].first;
  }
}

TEST(Verbalizer, StartsWithTheStandardDeviationOfItsInputs) {
  for (const auto& network : verbalizer_networks()) {
    const auto& architecture_name = network.name;
    const Verbalizers wide({ChosenNetwork(network.name), false, false}, sizes(64), {2}, 1);
    for (const auto& [name, value] : wide.named_parameters()) {
      if (name.ends_with(".bias")) {
        EXPECT_EQ(value.abs().max().item<double>(), 0) << architecture_name << ' ' << name;
      } else if (value.dim() == 1) {
        EXPECT_EQ((value - 1).abs().max().item<double>(), 0) << architecture_name << ' ' << name;
      } else {
        // Of 2,048 values or more: five standard errors are 5 / sqrt(2 · 2048) of the deviation.
        EXPECT_NEAR(value.std().item<double>() * std::sqrt(static_cast<double>(value.size(1))), 1, 0.08)
            << architecture_name << ' ' << name;
      }
    }
  }
}

TEST(Verbalizer, WithResidualStartsAsTheIdentity) {
  const auto hidden = random({3, 7, 8}, 1);
  for (const auto& network : verbalizer_networks()) {
    if (network.reads_all_tokens) continue;
    const auto& name = network.name;
    EXPECT_TRUE(at::equal(make(name, /*residual=*/true).forward(hidden, {}), hidden)) << name;
    const auto normed = make(name, /*residual=*/true, /*final_norm=*/true).forward(hidden, {});
    EXPECT_LE(difference(normed[1], rms_norm_plain(hidden[1], at::ones({8}), kEps)), 1e-6) << name;
  }
}

TEST(Verbalizer, EndsInAnotherWidthWhereNoHeadReadsIt) {
  VerbalizerConfig config;
  config.output_width = 12;
  const Verbalizers wider(config, sizes(), {1, 3}, 5);
  const auto parameters = by_name(wider.named_parameters());
  EXPECT_EQ(parameters.at("layers.3.gate.weight").sizes(), at::IntArrayRef({12, 8}));
  EXPECT_EQ(parameters.at("layers.3.down.weight").sizes(), at::IntArrayRef({12, 12}));
  const auto hidden = random({2, 7, 8}, 1);
  EXPECT_LE(difference(wider.forward(hidden, {}), plain(wider, hidden)), 1e-5);  // float32 sums of a dozen products
}

TEST_F(VerbalizersTest, ReadBackWhatTheySaved) {
  const auto loaded = Verbalizers::load(save(), sizes(), kBackbone, {1, 3, 4});
  EXPECT_EQ(loaded->layers(), made_.layers());
  const auto expected = by_name(made_.named_parameters());
  for (const auto& [name, value] : loaded->named_parameters()) {
    EXPECT_TRUE(at::equal(value, expected.at(name))) << name;
    EXPECT_FALSE(value.requires_grad()) << name;
  }
}

TEST(Verbalizer, OfEveryArchitectureAndOptionReadsBack) {
  const Folder folder;
  for (const auto& network : verbalizer_networks()) {
    const auto& name = network.name;
    const auto made = make(name, /*residual=*/!network.has_residuals_inside, /*final_norm=*/true);
    made.save(folder.path() / name, kBackbone);
    const auto loaded = Verbalizers::load(folder.path() / name, sizes(), kBackbone, {1, 3, 4});
    EXPECT_EQ(loaded->config().architecture.text(), name);
    EXPECT_EQ(loaded->config().residual, made.config().residual) << name;
    EXPECT_TRUE(loaded->config().final_norm) << name;
    const auto expected = by_name(made.named_parameters()), found = by_name(loaded->named_parameters());
    ASSERT_EQ(found.size(), expected.size()) << name;
    for (const auto& [parameter, value] : found)
      EXPECT_TRUE(at::equal(value, expected.at(parameter))) << name << ' ' << parameter;
  }
}

TEST_F(VerbalizersTest, OfAFileWithoutOptionsHaveNone) {
  const auto directory = save();
  auto description = read_json(directory / "verbalizers.json");
  description.erase("residual");
  description.erase("final_norm");
  write_json(directory / "verbalizers.json", description);
  const auto loaded = Verbalizers::load(directory, sizes(), kBackbone, {1, 3, 4});
  EXPECT_FALSE(loaded->config().residual);
  EXPECT_FALSE(loaded->config().final_norm);
}

TEST_F(VerbalizersTest, OfAnotherVersionAreToBeTrainedAgain) {
  const auto directory = save();
  auto description = read_json(directory / "verbalizers.json");
  description.erase("format");
  write_json(directory / "verbalizers.json", description);
  expect_error(
      [&] {
        Verbalizers::load(directory, sizes(), kBackbone, {1, 3, 4});
      },
      {"verbalizers.json: key 'format' is 1, expected 2", "train the verbalizers again"});
}

TEST_F(VerbalizersTest, LeaveOutLayersThatAreNotAskedFor) {
  const auto loaded = Verbalizers::load(save(), sizes(), kBackbone, {3});
  EXPECT_EQ(loaded->layers(), std::vector<int64_t>{3});
  const auto hidden = random({3, 7, 8}, 1);
  EXPECT_LE(difference(loaded->forward(hidden.narrow(0, 1, 1), {})[0], made_.forward(hidden, {})[1]), 1e-6);
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
  expect(&BackboneFingerprint::dtype, "bfloat16", "trained in float32, and are to read a model in bfloat16");
}

TEST_F(VerbalizersTest, OnlyNoteOtherDecoderWeights) {
  auto other = kBackbone;
  other.layers = "cccc";
  const auto directory = save();
  testing::internal::CaptureStderr();
  const auto loaded = Verbalizers::load(directory, sizes(), other, {1, 3, 4});
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("other decoder weights"), std::string::npos) << log;
  EXPECT_EQ(loaded->layers().size(), 3U);
}

TEST_F(VerbalizersTest, NameTheLayerThatIsMissing) {
  const auto message = load_error(kBackbone, {1, 2});
  EXPECT_NE(message.find("none for layer 2"), std::string::npos) << message;
}

TEST_F(VerbalizersTest, RefuseLayersThatDoNotAscend) {
  for (const std::vector<int64_t>& layers : {std::vector<int64_t>{}, {3, 1}, {1, 1}}) {
    const auto message = load_error(kBackbone, layers);
    EXPECT_NE(message.find("are asked for, expected ascending ones"), std::string::npos) << message;
  }
  const auto directory = save();
  auto description = read_json(directory / "verbalizers.json");
  description["layers"] = {3, 3};
  std::ofstream(directory / "verbalizers.json") << description;
  const auto message = message_of([&] { Verbalizers::load(directory, sizes(), kBackbone, {3}); });
  EXPECT_NE(message.find("verbalizers.json: the layers [3, 3] are in it, expected ascending ones"), std::string::npos)
      << message;
}

TEST_F(VerbalizersTest, RefuseFilesThatDoNotFitTogether) {
  const auto directory = save();
  const auto weights = directory / "verbalizers.safetensors";
  const auto parameters = made_.named_parameters();
  const auto error = [&] { return message_of([&] { Verbalizers::load(directory, sizes(), kBackbone, {1, 3, 4}); }); };

  write_safetensors(weights, NamedTensors(parameters.begin() + 1, parameters.end()));
  EXPECT_NE(error().find("missing layers.1.gate.weight"), std::string::npos) << error();
  auto misshapen = parameters;
  misshapen.back().second = at::zeros({8, 7});
  write_safetensors(weights, misshapen);
  EXPECT_NE(error().find("layers.4.down.weight is [8, 7], expected [8, 8]"), std::string::npos) << error();
  write_safetensors(weights, parameters);
  auto description = read_json(directory / "verbalizers.json");
  const auto describe_as = [&](const char* key, const Json& value) {
    auto changed = description;
    changed[key] = value;
    write_json(directory / "verbalizers.json", changed);
  };
  describe_as("architecture", "other");
  EXPECT_NE(error().find("'architecture' is 'other', expected one of verb_ffn, "), std::string::npos) << error();
  describe_as("residual", 1);
  EXPECT_NE(error().find("key 'residual' is "), std::string::npos) << error();
  describe_as("architecture", "ffn");  // wider than what the file holds
  EXPECT_NE(error().find("layers.1.gate.weight is [8, 8], expected [24, 8]"), std::string::npos) << error();
  description["residual"] = true;
  describe_as("architecture", "decoder");
  EXPECT_NE(error().find("architecture 'decoder' has residuals inside"), std::string::npos) << error();
  std::filesystem::remove(directory / "verbalizers.json");
  EXPECT_NE(error().find("verbalizers.json"), std::string::npos) << error();
}

/// Decoder verbalizers at `layer` that are copies of the layers of `model` behind it.
Verbalizers copies_of_layers(const Vlm& model, const char* network, int64_t layer, bool final_norm) {
  Verbalizers verbalizers({ChosenNetwork(network), /*residual=*/false, final_norm}, model.config().text, {layer}, 1);
  const auto weights = by_name(model.named_parameters());
  for (auto& [name, value] : verbalizers.named_parameters()) {
    if (name == "norm.weight") {
      value.set_data(weights.at("decoder.norm.weight").clone());
      continue;
    }
    const auto inner = name.substr(name.find("decoder.") + 8);
    const bool second = name.find(concat('.', layer, ".1.decoder.")) != std::string::npos;
    // Target layers are counted from 1, checkpoint names from 0: the layer behind target layer i is called i.
    value.set_data(weights.at(concat("decoder.layers.", layer + (second ? 1 : 0), '.', inner)).clone());
  }
  return verbalizers;
}

TEST(DecoderVerbalizer, WithTheNextLayersWeightsIsTheNextLayer) {
  const auto model = load_vlm(fixtures::directory("untied"), at::kFloat);
  std::vector<Sample> samples;
  for (const auto& stored : fixtures::cases("untied")) samples.push_back(fixtures::sample_of(stored));
  const auto batch = pack(samples);
  at::NoGradGuard no_grad;
  const auto wanted = model->forward(batch, {{1, 2, 3}, true});
  const auto said = [&](const char* network, int64_t layer, bool final_norm) {
    const auto verbalizers = copies_of_layers(*model, network, layer, final_norm);
    return verbalizers.forward(model->forward(batch, verbalizers.request(/*final_rows=*/false)).layers, batch)[0];
  };
  // The same operations on the same numbers; attention kernels may block them differently.
  EXPECT_LE(difference(said("decoder", 1, false), wanted.layers[1]), 1e-5);
  EXPECT_LE(difference(said("decoder_x2", 1, false), wanted.layers[2]), 1e-5);
  EXPECT_LE(difference(said("decoder", 2, true), wanted.final_rows), 1e-5);
}

TEST(Verbalizer, CopiesTheModelsFinalNorm) {
  const auto model = load_vlm(fixtures::directory("untied"), at::kBFloat16);
  VerbalizerConfig config;
  config.final_norm = true;
  const auto verbalizers = Verbalizers::of(*model, config, {1}, 1);
  const auto norm = by_name(verbalizers->named_parameters()).at("norm.weight");
  EXPECT_EQ(norm.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(norm, model->final_norm().to(at::kFloat)));
  for (const auto& [name, value] : verbalizers->trained_parameters()) EXPECT_NE(name, "norm.weight");
  EXPECT_EQ(verbalizers->trained_parameters().size(), 3U);
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
  expect_changed("head.weight", true, false);
  expect_changed("decoder.layers.2.mlp.down_proj.weight", false, true);
  expect_changed("vision.patch_embed.proj.weight", false, false);
}

}  // namespace
}  // namespace vlsi
