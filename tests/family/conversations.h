// What the tests of processors share: the real tokenizers, and the conversations of
// tests/oracle/make_processor_fixture.py.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "data/processor.h"
#include "tests/picture/test_pictures.h"

namespace vlsi {

/// "qwen2" or "llava_onevision".
inline std::filesystem::path tokenizer_file(const std::string& name) {
  const auto folder = concat("build/test-data/", name);
  const auto path = std::filesystem::path(VLSI_SOURCE_DIR) / folder / "tokenizer.json";
  if (!std::filesystem::exists(path)) {
    fail("cannot find ", path.string(), ": write it with tests/data/qwen2/make_tokenizer.py ", folder,
         name == "qwen2" ? "" : " " + name);
  }
  return path;
}

inline Content text(std::string value) { return {Content::Kind::kText, std::move(value), {}}; }
inline Content picture(const std::filesystem::path& path) { return {Content::Kind::kImage, {}, path}; }

inline Conversation read_conversation(const Json& turns) {
  Conversation conversation{"c1", "category", {}};
  for (const Json& turn : turns) {
    const std::string role = turn["role"];
    Turn& added = conversation.turns.emplace_back();
    added.role = role == "user" ? Role::kUser : role == "system" ? Role::kSystem : Role::kAssistant;
    for (const Json& content : turn["content"]) {
      added.contents.push_back(content["type"] == "image" ? picture(picture_folder() / content["image"])
                                                          : text(content["text"]));
    }
  }
  return conversation;
}

/// What processors of all families give alike.
inline void expect_sample(const Sample& sample, const Json& expected) {
  EXPECT_EQ(sample.id, "c1");
  EXPECT_EQ(sample.category, "category");
  EXPECT_EQ(sample.tokens, expected["tokens"].get<std::vector<int32_t>>());
  EXPECT_EQ(sample.answer_positions, expected["answer_positions"].get<std::vector<int32_t>>());
  EXPECT_EQ(sample.labels, expected["labels"].get<std::vector<int32_t>>());
  EXPECT_EQ(sample.next_position, expected["next"].get<int32_t>());
  if (expected["positions"].is_array()) {
    EXPECT_EQ(sample.positions, expected["positions"].get<std::vector<std::vector<int32_t>>>());
    return;
  }
  for (const auto& axis : sample.positions) {
    ASSERT_EQ(axis.size(), sample.tokens.size());
    for (size_t i = 0; i < axis.size(); ++i) ASSERT_EQ(axis[i], static_cast<int32_t>(i));
  }
}

/// That an outline of the conversation has all of `sample` but its pictures' rows, and becomes it.
inline void expect_outline(const Processor& processor, const Conversation& conversation, const Sample& sample) {
  auto outline = processor.outline(conversation);
  EXPECT_EQ(outline.tokens, sample.tokens);
  EXPECT_EQ(outline.positions, sample.positions);
  EXPECT_EQ(outline.labels, sample.labels);
  EXPECT_EQ(outline.image_token_positions, sample.image_token_positions);
  ASSERT_EQ(outline.images.size(), sample.images.size());
  for (size_t i = 0; i < sample.images.size(); ++i) {
    EXPECT_EQ(outline.images[i].shape, sample.images[i].shape);
    EXPECT_FALSE(outline.images[i].rows.defined());
  }
  processor.fill(conversation, outline);
  EXPECT_EQ(fingerprint_of(outline), fingerprint_of(sample));
}

inline void expect_picture_positions(const Sample& sample, int32_t picture_token) {
  std::vector<int32_t> positions;
  for (size_t i = 0; i < sample.tokens.size(); ++i) {
    if (sample.tokens[i] == picture_token) positions.push_back(static_cast<int32_t>(i));
  }
  EXPECT_EQ(sample.image_token_positions, positions);
}

inline void expect_prompt(const Sample& prompt, const Json& expected) {
  EXPECT_EQ(prompt.tokens, expected["prompt"].get<std::vector<int32_t>>());
  EXPECT_EQ(prompt.answer_positions, std::vector<int32_t>{static_cast<int32_t>(prompt.tokens.size()) - 1});
  EXPECT_TRUE(prompt.labels.empty());
  EXPECT_EQ(prompt.next_position, prompt.positions[0].back() + 1);
}

}  // namespace vlsi
