// A model family from outside the sources: one linear map for a tower, a projector that makes a row of each row of
// patches and one more, plain rotary positions, heads of a size of their own with norms, and a chat template of three
// words. (P patches, E features' width, D decoder's width)
#pragma once

#include <ATen/ATen.h>

#include "data/processor.h"
#include "family/config_keys.h"
#include "family/family.h"
#include "model/linear.h"
#include "model/vision.h"
#include "picture/picture.h"
#include "tests/support/read_image.h"

namespace vlsi::toy {

constexpr int64_t kPatch = 4, kRows = 3, kColumns = 2, kFeatures = 12;

struct Config : FamilyConfig {
  std::string tower_text() const override { return "one map"; }
};

inline ModelConfig read_config(const Json& json, const std::string& place) {
  const Json none = Json::object();
  const ConfigKeys keys(json, none, place);
  ModelConfig config;
  config.family = "toy";
  auto& text = config.text;
  keys.read_size("vocab_size", text.vocab_size);
  keys.read_size("hidden_size", text.hidden_size);
  keys.read_size("num_hidden_layers", text.num_hidden_layers);
  text.intermediate_size = 2 * text.hidden_size;
  text.num_attention_heads = 4;
  text.num_key_value_heads = 2;
  text.head_size = 12;  // four of them are wider than the decoder
  text.rope_sections = {text.head_size / 2};
  text.rope_theta = 1e4;
  text.has_qkv_bias = false;
  text.has_qk_norm = true;
  text.rows_added_after = {0};
  read_general_keys(keys, config);
  config.own = std::make_shared<Config>();
  return config;
}

inline OrderedJson write_config(const ModelConfig& config, const std::string& dtype) {
  return {{"model_type", "toy"},
          {"vocab_size", config.text.vocab_size},
          {"hidden_size", config.text.hidden_size},
          {"num_hidden_layers", config.text.num_hidden_layers},
          {"bos_token_id", config.bos_token_id},
          {"eos_token_id", token_ids_json(config.eos_token_ids)},
          {"image_token_id", config.image_token_id},
          {"torch_dtype", dtype}};
}

class Tower : public VisionTower {
 public:
  Tower() { map_ = register_module("map", std::make_shared<Linear>(patch_values(), kFeatures, /*with_bias=*/true)); }
  at::Tensor encode(const at::Tensor& patches, std::span<const PictureShape>) const override {
    return at::gelu(map_->forward(patches.to(map_->weight().scalar_type())));
  }
  int64_t patch_values() const override { return 3 * kPatch * kPatch; }
  int64_t feature_width() const override { return kFeatures; }
  std::string settings_text() const override { return "toy"; }
  Cost cost(double num_patches, double) const override {
    Cost cost;
    cost.working_values = num_patches * kFeatures;
    cost.operations = 2 * num_patches * num_values(*this);
    return cost;
  }

 private:
  std::shared_ptr<Linear> map_;
};

/// The mean of each row of patches, then a learnt row that ends the picture; and the same rows doubled, for the decoder
/// to add after its first layer.
class MeanProjector : public Projector {
 public:
  explicit MeanProjector(int64_t width) {
    map_ = register_module("map", std::make_shared<Linear>(kFeatures, width, /*with_bias=*/false));
    end_ = register_parameter("end", {1, width});
  }
  PictureRows project(const at::Tensor& features, std::span<const PictureShape> pictures) const override {
    std::vector<at::Tensor> rows;
    int64_t first = 0;
    for (const auto& picture : pictures) {
      const auto [height, width] = std::pair(picture.layout[0], picture.layout[1]);
      rows.push_back(map_->forward(features.narrow(0, first, height * width).view({height, width, -1}).mean(1)));
      rows.push_back(end_);
      first += picture.num_patches;
    }
    const auto all = at::cat(rows);
    return {all, {2 * all}};
  }
  double patches_a_row() const override { return static_cast<double>(kRows * kColumns) / (kRows + 1); }
  Cost cost(double num_patches) const override {
    Cost cost;
    cost.operations = 2 * num_patches / patches_a_row() * num_values(*this);
    return cost;
  }

 private:
  std::shared_ptr<Linear> map_;
  at::Tensor end_;  // [1, D]
};

class ToyProcessor : public Processor {
 public:
  ToyProcessor(const std::filesystem::path& directory, const ModelConfig& config)
      : tokenizer_(Tokenizer::load(directory)),
        picture_(static_cast<int32_t>(config.image_token_id)),
        end_(static_cast<int32_t>(config.eos_token_ids.front())) {}

  Sample encode(const Conversation& conversation) const override {
    return render(conversation, conversation.turns.size());
  }
  Sample encode_prompt(const Conversation& conversation) const override {
    auto sample = render(conversation, 1);
    sample.answer_positions = {static_cast<int32_t>(sample.tokens.size()) - 1};
    sample.labels.clear();
    return sample;
  }
  const Tokenizer& tokenizer() const override { return tokenizer_; }
  int32_t end_of_turn() const override { return end_; }
  ProcessorFingerprint fingerprint() const override { return {"toy", "toy", "toy"}; }

 private:
  Sample render(const Conversation& conversation, size_t num_turns) const {
    Sample sample;
    sample.id = conversation.id;
    sample.category = conversation.category;
    const auto add = [&](int32_t token, bool is_label) {
      if (is_label) {
        sample.answer_positions.push_back(static_cast<int32_t>(sample.tokens.size()) - 1);
        sample.labels.push_back(token);
      }
      sample.tokens.push_back(token);
    };
    for (size_t i = 0; i < num_turns; ++i) {
      const auto& turn = conversation.turns[i];
      const bool is_answer = turn.role == Role::kAssistant;
      for (const auto& content : turn.contents) {
        if (content.kind == Content::Kind::kText) {
          for (const int32_t token : tokenizer_.encode(content.text)) add(token, is_answer);
          continue;
        }
        sample.images.push_back(patches_of(content.image));
        for (int64_t row = 0; row < sample.images.back().shape.num_rows; ++row) {
          sample.image_token_positions.push_back(static_cast<int32_t>(sample.tokens.size()));
          add(picture_, false);
        }
      }
      add(end_, is_answer);
    }
    sample.positions.resize(1);
    for (size_t i = 0; i < sample.tokens.size(); ++i) sample.positions[0].push_back(static_cast<int32_t>(i));
    sample.next_position = static_cast<int32_t>(sample.tokens.size());
    return sample;
  }

  static PicturePatches patches_of(const std::filesystem::path& path) {
    const auto image = resize_bicubic(read_image(path), kRows * kPatch, kColumns * kPatch);
    const auto pixels = at::tensor(std::vector<float>(image.rgb.begin(), image.rgb.end())) / 255;
    const auto blocks = pixels.view({kRows, kPatch, kColumns, kPatch, 3}).permute({0, 2, 1, 3, 4});
    return {blocks.reshape({kRows * kColumns, -1}), {kRows * kColumns, kRows + 1, {kRows, kColumns}}};
  }

  Tokenizer tokenizer_;
  int32_t picture_, end_;
};

inline Family family() {
  Family family{"toy", "Toy", "<|image_pad|>", read_config, write_config, {}, {}, {}, {}};
  family.namings = {{"toy",
                     {{"eyes.", "vision."},
                      {"bridge.", "projector."},
                      {"words.", "embeddings."},
                      {"blocks.", "decoder.layers."},
                      {"end_norm.", "decoder.norm."},
                      {"out.", "head."}}}};
  family.make_tower = [](const ModelConfig&) -> std::shared_ptr<VisionTower> { return std::make_shared<Tower>(); };
  family.make_projector = [](const ModelConfig& config) -> std::shared_ptr<Projector> {
    return std::make_shared<MeanProjector>(config.text.hidden_size);
  };
  family.make_processor = [](const std::filesystem::path& directory, const ModelConfig& model,
                             SpecialText) -> std::unique_ptr<Processor> {
    return std::make_unique<ToyProcessor>(directory, model);
  };
  return family;
}

/// Puts it in the table, once.
inline void add_family() {
  if (families().find("toy") == nullptr) families().add(family());
}

}  // namespace vlsi::toy
