// Models from another one's weights: which values they take.
#include "checkpoint/cut_down.h"

#include <cmath>

#include "checkpoint/initialize.h"
#include "model/parts.h"
#include "tests/checkpoint/model_directory.h"

namespace vlsi {
namespace {

std::vector<TensorSource> cut(const ModelConfig& config) {
  auto weights = random_weights(config, Initializer::kFanIn, 3, at::kFloat);
  cut_down(weights, config, fixtures::directory("untied"));
  return weights;
}

std::map<std::string, at::Tensor> values(const std::vector<TensorSource>& weights) {
  std::map<std::string, at::Tensor> made;
  for (const auto& weight : weights) {
    made[weight.name] = weight.make();
    EXPECT_EQ(made[weight.name].sizes(), at::IntArrayRef(weight.shape)) << weight.name;
  }
  return made;
}

TEST(CutDown, ToTheSameSizesIsTheModelItself) {
  const auto source = load_vlm(fixtures::directory("untied"), at::kFloat);
  const auto wanted = fixtures::by_name(source->named_parameters());
  for (const auto& [name, value] : values(cut(source->config())))
    EXPECT_TRUE(at::equal(value, wanted.at(name))) << name;
}

TEST(CutDown, TakesEvenlySpacedLayersAndTheFirstValuesOfEachAxis) {
  const auto source = load_vlm(fixtures::directory("untied"), at::kFloat);
  const auto wide = fixtures::by_name(source->named_parameters());
  auto config = source->config();
  auto& text = config.text;
  const auto from = text;
  ASSERT_GE(from.num_hidden_layers, 2);
  text.num_attention_heads = from.num_key_value_heads;
  text.num_key_value_heads = 1;
  text.head_size = 2 * (from.head_dim() / 2 - 1);
  text.rope_sections[0] -= 1;
  text.intermediate_size -= 3;
  const auto narrow = values(cut(config));

  // By hand: channel c of head h; section 0 lost its last frequency, in both halves.
  const int64_t half = from.head_dim() / 2;
  std::vector<int64_t> channels;
  for (const int64_t start : {int64_t{0}, half})
    for (int64_t i = 0; i < half; ++i)
      if (i != from.rope_sections[0] - 1) channels.push_back(start + i);
  const std::string layer = "decoder.layers.1.";
  const auto& wide_q = wide.at(layer + "self_attn.q_proj.weight");
  const auto& q = narrow.at(layer + "self_attn.q_proj.weight");
  for (int64_t head = 0; head < text.num_attention_heads; ++head)
    for (int64_t c = 0; c < text.head_dim(); ++c)
      EXPECT_TRUE(at::equal(q[head * text.head_dim() + c], wide_q[head * from.head_dim() + channels[c]]));
  const auto down =
      wide.at(layer + "mlp.down_proj.weight").slice(1, 0, text.intermediate_size) *
      std::sqrt(static_cast<double>(from.intermediate_size) / static_cast<double>(text.intermediate_size));
  EXPECT_TRUE(at::equal(narrow.at(layer + "mlp.down_proj.weight"), down));
}

TEST(CutDown, KeepsQueryHeadsWithTheKeysThatTheyRead) {
  const auto source = load_vlm(fixtures::directory("untied"), at::kFloat);
  const auto wide = fixtures::by_name(source->named_parameters());
  auto config = source->config();
  auto& text = config.text;
  const int64_t group = text.num_attention_heads / text.num_key_value_heads, size = text.head_dim();
  ASSERT_GT(group, 1);
  ASSERT_GT(text.num_key_value_heads, 1);
  text.head_size = size;
  text.num_attention_heads = text.num_key_value_heads;  // one for each
  const auto narrow = values(cut(config));
  const std::string attention = "decoder.layers.0.self_attn.";
  const double scale = std::sqrt(static_cast<double>(group));  // of a map from as many times fewer values
  for (int64_t head = 0; head < text.num_attention_heads; ++head) {
    const auto rows = [&](const at::Tensor& weight, int64_t axis, int64_t of) {
      return weight.slice(axis, of * size, (of + 1) * size);
    };
    const auto whole = [&](const char* name) { return wide.at(attention + name); };
    const auto part = [&](const char* name) { return narrow.at(attention + name); };
    EXPECT_TRUE(at::equal(rows(part("q_proj.weight"), 0, head), rows(whole("q_proj.weight"), 0, head * group)));
    EXPECT_TRUE(at::equal(rows(part("k_proj.weight"), 0, head), rows(whole("k_proj.weight"), 0, head)));
    EXPECT_TRUE(at::equal(rows(part("o_proj.weight"), 1, head), rows(whole("o_proj.weight"), 1, head * group) * scale));
  }
}

TEST(CutDown, KeepsTheFirstAndTheLastLayer) {
  const auto source = load_vlm(fixtures::directory("untied"), at::kFloat);
  const auto wide = fixtures::by_name(source->named_parameters());
  auto config = source->config();
  const auto last = std::to_string(config.text.num_hidden_layers - 1);
  config.text.num_hidden_layers = 2;
  const auto narrow = values(cut(config));
  const std::string weight = ".mlp.up_proj.weight";
  EXPECT_TRUE(at::equal(narrow.at("decoder.layers.0" + weight), wide.at("decoder.layers.0" + weight)));
  EXPECT_TRUE(at::equal(narrow.at("decoder.layers.1" + weight), wide.at("decoder.layers." + last + weight)));
}

TEST(CutDown, RefusesALargerModelAndAnotherTower) {
  auto config = load_model_config(fixtures::directory("untied"));
  config.text.intermediate_size += 1;
  const auto wider = message_of([&] { values(cut(config)); });
  EXPECT_NE(wider.find("mlp.gate_proj.weight, axis 0"), std::string::npos) << wider;
  config = load_model_config(fixtures::directory("untied"));
  config.text.num_hidden_layers += 1;
  const auto deeper = message_of([&] { cut(config); });
  EXPECT_NE(deeper.find("num_hidden_layers is"), std::string::npos) << deeper;
  EXPECT_NE(message_of([&] { cut(load_model_config(fixtures::directory("tied"))); }), "");
  auto json = read_json(fixtures::directory("untied") / "config.json");
  json["vision_config"]["num_heads"] = 1;
  const auto other_heads = message_of([&] { cut(parse_model_config(json, "config.json")); });
  EXPECT_NE(other_heads.find("it has heads 2, merge 2 (Qwen2-VL); expected heads 1"), std::string::npos) << other_heads;
}

TEST(TakeVisionTower, TakesTheTowerWithoutItsMerger) {
  const auto from = load_vlm(fixtures::directory("tied"), at::kFloat);
  auto weights = random_weights(from->config(), Initializer::kFanIn, 3, at::kFloat);
  const auto untouched = weights;
  take_vision_tower(weights, from->config(), fixtures::directory("tied"));
  const auto source = fixtures::by_name(from->named_parameters());
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto& name = weights[i].name;
    EXPECT_TRUE(at::equal(weights[i].make(), part_of(name) == "vision" ? source.at(name) : untouched[i].make()))
        << name;
  }
}

TEST(TakeVisionTower, RefusesAnotherShape) {
  const auto config = load_model_config(fixtures::directory("untied"));
  auto weights = random_weights(config, Initializer::kFanIn, 3, at::kFloat);
  const auto message = message_of([&] { take_vision_tower(weights, config, fixtures::directory("tied")); });
  EXPECT_NE(message.find(fixtures::directory("tied").string()), std::string::npos) << message;
  EXPECT_NE(message.find("visual.patch_embed.proj.weight"), std::string::npos) << message;
}

TEST(TakeVisionTower, RefusesOtherSettings) {
  auto json = read_json(fixtures::directory("tied") / "config.json");
  json["vision_config"]["num_heads"] = 1;
  const auto config = parse_model_config(json, "config.json");
  auto weights = random_weights(config, Initializer::kFanIn, 3, at::kFloat);
  const auto message = message_of([&] { take_vision_tower(weights, config, fixtures::directory("tied")); });
  EXPECT_EQ(message, "taking the vision tower of " + fixtures::directory("tied").string() +
                         ": it has heads 2, merge 2 (Qwen2-VL); expected heads 1, merge 2 (Qwen2-VL)");
}

}  // namespace
}  // namespace vlsi
