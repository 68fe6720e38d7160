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

INSTANTIATE_TEST_SUITE_P(Family, QwenProcessors, testing::Values("qwen2_5_vl", "qwen3_vl"),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace vlsi
