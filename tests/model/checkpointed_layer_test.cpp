// Activation checkpointing: the same losses and gradients bit for bit, in less memory.
#include "model/checkpointed_layer.h"

#include "model/parts.h"
#include "tests/model/fixtures.h"
#include "tests/support/initialize_vlm.h"
#include "tests/support/peak_bytes.h"

namespace vlsi {
namespace {

struct LossAndGradients {
  at::Tensor loss;
  std::map<std::string, at::Tensor> of;
};

LossAndGradients gradients(Vlm& model, const Batch& batch, bool checkpointing) {
  model.set_activation_checkpointing(checkpointing);
  LossAndGradients result;
  for (auto& [name, parameter] : model.named_parameters()) parameter.mutable_grad() = at::Tensor();
  const auto hidden = model.forward(batch, {{1, 2}, /*final_rows=*/true});
  result.loss =
      at::cross_entropy_loss(at::linear(hidden.final_rows, model.head()), batch.labels) + hidden.layers.square().mean();
  result.loss.backward();
  for (auto& [name, parameter] : model.named_parameters()) {
    if (parameter.grad().defined()) result.of.emplace(name, parameter.grad().clone());
  }
  return result;
}

class CheckpointedLayer : public testing::TestWithParam<std::vector<std::string>> {
 protected:
  void expect_equal_gradients(const std::string& variant, at::ScalarType dtype) const;
};
INSTANTIATE_TEST_SUITE_P(Training, CheckpointedLayer,
                         testing::Values(std::vector<std::string>{"lora"}, std::vector<std::string>{"decoder"},
                                         std::vector<std::string>{"decoder", "embeddings", "projector", "lora"}));

void CheckpointedLayer::expect_equal_gradients(const std::string& variant, at::ScalarType dtype) const {
  const auto model = load_vlm(fixtures::directory(variant), dtype);
  model->add_lora(4, 8, {"q_proj", "v_proj", "down_proj"}, 3, "test");
  for (auto& [name, value] : model->named_parameters()) {
    if (name.ends_with("lora_B")) value.copy_(fixtures::random(value.sizes(), 5) * 0.1);
  }
  const auto trained = make_trainable(*model, GetParam(), "test");
  std::vector<Sample> samples;
  for (const auto& stored : fixtures::cases(variant)) samples.push_back(fixtures::sample_of(stored));
  const auto batch = pack(samples);
  const auto expected = gradients(*model, batch, /*checkpointing=*/false),
             found = gradients(*model, batch, /*checkpointing=*/true);
  EXPECT_TRUE(at::equal(found.loss, expected.loss));
  ASSERT_EQ(found.of.size(), trained.size());
  ASSERT_EQ(expected.of.size(), trained.size());
  for (const auto& [name, gradient] : expected.of) EXPECT_TRUE(at::equal(found.of.at(name), gradient)) << name;
}

TEST_P(CheckpointedLayer, GivesTheSameLossAndGradientsBitForBit) {
  for (const auto& variant : fixtures::variants()) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(concat(variant, " ", dtype));
      expect_equal_gradients(variant, dtype);
    }
  }
}

TEST(ActivationCheckpointing, LowersThePeakOfMemory) {
  auto config = load_model_config(fixtures::directory("untied"));
  config.text.num_hidden_layers = 12;
  const auto model = initialize_vlm(config, Initializer::kFanIn, 1);
  model->add_lora(4, 4, {"q_proj"}, 1, "test");
  make_trainable(*model, {"lora"}, "test");
  Sample sample;
  sample.positions.resize(3);
  for (int32_t i = 0; i < 400; ++i) {
    sample.tokens.push_back(i % 100);
    for (auto& axis : sample.positions) axis.push_back(i);
  }
  sample.answer_positions = {398};
  sample.labels = {7};
  sample.next_position = 400;
  const auto batch = pack({sample});
  const auto peak_of = [&](bool checkpointing) {
    return peak_bytes([&] {
      model->set_activation_checkpointing(checkpointing);
      fixtures::summed_loss(*model, batch).backward();
    });
  };
  const int64_t without = peak_of(false), with = peak_of(true);
  ASSERT_GT(without, 12 * 400 * 48 * 4) << "the meter sees the activations";
  EXPECT_LT(static_cast<double>(with), 0.4 * static_cast<double>(without)) << with << " against " << without;
}

TEST(ActivationCheckpointing, ChangesNothingWithoutABackwardPass) {
  at::NoGradGuard no_grad;
  const auto model = load_vlm(fixtures::directory("untied"), at::kFloat);
  const auto batch = pack({fixtures::sample_of(fixtures::Case("untied", "text"))});
  const auto expected = model->forward(batch, {}).final_rows;
  model->set_activation_checkpointing(true);
  EXPECT_TRUE(at::equal(model->forward(batch, {}).final_rows, expected));
}

}  // namespace
}  // namespace vlsi
