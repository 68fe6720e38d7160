// Conversations as the processors of Qwen2.5-VL and Qwen3-VL give them, without a chat template in the directory.
// Expected values: tests/oracle/make_processor_fixture.py.
#include "family/qwen_family.h"

#include <gtest/gtest.h>

#include <map>

#include "base/json.h"
#include "family/family.h"
#include "tests/picture/test_pictures.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// A directory of the family with the real tokenizer and the given settings of the image processor.
std::unique_ptr<Folder> directory_of(const std::string& family, const Json& options) {
  Json config{{"model_type", family}, {"vision_config", {{"patch_size", options.at("patch_size")}}}};
  if (family == "qwen3_vl") {
    config["vision_config"]["out_hidden_size"] = 4096;
  } else {
    config.update({{"hidden_size", 3584}, {"num_attention_heads", 28}, {"num_key_value_heads", 4}});
  }
  auto folder = std::make_unique<Folder>(
      std::map<std::string, std::string>{{"config.json", config.dump()}, {"preprocessor_config.json", options.dump()}});
  const auto tokenizer = fs::path(VLSI_SOURCE_DIR) / "build/test-data/qwen2/tokenizer.json";
  if (!fs::exists(tokenizer)) fail("cannot find ", tokenizer.string(), ": tests/run.sh makes it");
  fs::create_symlink(tokenizer, folder->path() / "tokenizer.json");
  return folder;
}

Conversation stored_conversation(const Json& turns) {
  Conversation conversation{"c1", "", {}};
  for (const Json& turn : turns) {
    const std::string role = turn["role"];
    Turn& added = conversation.turns.emplace_back();
    added.role = role == "user" ? Role::kUser : role == "system" ? Role::kSystem : Role::kAssistant;
    for (const Json& content : turn["content"]) {
      const bool is_picture = content["type"] == "image";
      added.contents.push_back(
          is_picture ? Content{Content::Kind::kImage, {}, picture_folder() / content["image"].get<std::string>()}
                     : Content{Content::Kind::kText, content["text"].get<std::string>(), {}});
    }
  }
  return conversation;
}

void expect_stored_sample(const Sample& sample, const Json& expected) {
  EXPECT_EQ(sample.tokens, expected["tokens"].get<std::vector<int32_t>>());
  EXPECT_EQ(sample.answer_positions, expected["answer_positions"].get<std::vector<int32_t>>());
  EXPECT_EQ(sample.labels, expected["labels"].get<std::vector<int32_t>>());
  EXPECT_EQ(sample.next_position, expected["next"].get<int32_t>());
  if (expected["positions"].is_array()) {
    EXPECT_EQ(sample.positions, expected["positions"].get<std::vector<std::vector<int32_t>>>());
  } else {
    std::vector<int32_t> counting(sample.tokens.size());
    for (size_t i = 0; i < counting.size(); ++i) counting[i] = static_cast<int32_t>(i);
    EXPECT_EQ(sample.positions, std::vector(3, counting));
  }
  ASSERT_EQ(sample.images.size(), expected["grids"].size());
  for (size_t i = 0; i < sample.images.size(); ++i) {
    const auto grid = grid_of(sample.images[i].shape);
    EXPECT_EQ(Json({grid.t, grid.h, grid.w}), expected["grids"][i]);
  }
}

class QwenProcessors : public testing::TestWithParam<std::string> {};

TEST_P(QwenProcessors, EncodeConversationsAsTheReferenceDoes) {
  std::map<std::string, std::unique_ptr<Processor>> processors;
  const Json cases = read_json(fs::path(VLSI_TEST_DATA) / GetParam() / "conversations.json");
  for (const Json& expected : cases) {
    SCOPED_TRACE(expected["name"].get<std::string>());
    const bool plain = expected["plain"];
    auto& processor = processors[expected["image_processor"].dump() + (plain ? " plain" : "")];
    if (!processor) {
      processor = load_processor(directory_of(GetParam(), expected["image_processor"])->path(),
                                 plain ? SpecialText::kPlain : SpecialText::kControl);
    }
    const auto conversation = stored_conversation(expected["turns"]);
    expect_stored_sample(processor->encode(conversation), expected);
    if (!expected.contains("prompt")) continue;
    EXPECT_EQ(processor->encode_prompt(conversation).tokens, expected["prompt"].get<std::vector<int32_t>>());
  }
}

class QwenConfigs : public testing::TestWithParam<std::string> {
 protected:
  /// A small model's config.json.
  Json json_ = read_json(fs::path(VLSI_TEST_DATA) / GetParam() / "tied/config.json");
  Json& vision_ = json_["vision_config"];

  void read() const { parse_model_config(json_, "config.json"); }
};

TEST_P(QwenConfigs, RefuseATowersOtherRotation) {
  for (const char* type : {"axial", "default"}) {
    vision_["rope_parameters"] = {{"rope_theta", 10000.0}, {"rope_type", type}};
    EXPECT_NO_THROW(read()) << type;
  }
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const auto place = concat("config.json, vision_config, ", key);
    vision_[key] = {{"rope_theta", 500000.0}, {"rope_type", "axial"}};
    expect_error([&] { read(); }, {place + ": key 'rope_theta' is 500000", "expected 10000"});
    vision_[key] = {{"rope_type", "yarn"}};
    expect_error([&] { read(); }, {place + ": key 'rope_type' is \"yarn\"", "expected \"axial\" or \"default\""});
    vision_.erase(key);
  }
  vision_["rope_theta"] = 500000.0;
  expect_error([&] { read(); }, {"config.json, vision_config: key 'rope_theta' is 500000"});
}

TEST_P(QwenConfigs, RefuseMergedPatchesBeyondAnyModel) {
  vision_[GetParam() == "qwen2_vl" ? "embed_dim" : "hidden_size"] = 1 << 24;
  vision_["spatial_merge_size"] = 64;
  vision_["window_size"] = 1 << 20;
  expect_error([&] { read(); }, {"16777216 times the square of spatial_merge_size 64", "expected at most 16777216"});
}

INSTANTIATE_TEST_SUITE_P(Family, QwenConfigs, testing::Values("qwen2_vl", "qwen2_5_vl", "qwen3_vl"),
                         [](const auto& family) { return family.param; });

TEST(QwenConfig, RefusesHeadsBeyondAnyModel) {
  auto json = read_json(fs::path(VLSI_TEST_DATA) / "qwen3_vl/tied/config.json");
  json["text_config"].update({{"num_attention_heads", 1 << 24}, {"head_dim", 1 << 24}});
  expect_error([&] { parse_model_config(json, "config.json"); },
               {"num_attention_heads 16777216 times head_dim 16777216", "expected at most 16777216"});
}

INSTANTIATE_TEST_SUITE_P(Family, QwenProcessors, testing::Values("qwen2_5_vl", "qwen3_vl"),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace vlsi
