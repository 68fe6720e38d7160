// The parts of text of a turn.
#include <gtest/gtest.h>

#include "data/conversation.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

/// The contents of the user turn that has this `content` in a record of messages, pictures as "<>".
std::vector<std::string> contents_of_message(const std::string& content) {
  const auto record = Json::parse(R"({"messages": [{"role": "user", "content": )" + content +
                                  R"(}, {"role": "assistant", "content": "yes"}]})");
  std::vector<std::string> contents;
  const auto conversation = parse_conversation(record, "/pictures", "train.json, record 1", "1");
  for (const auto& one : conversation.turns[0].contents)
    contents.push_back(one.kind == Content::Kind::kText ? one.text : "<>");
  return contents;
}

using Texts = std::vector<std::string>;

TEST(ConversationTexts, StayAsTheyAreAlsoWhereTheyAreEmpty) {
  EXPECT_EQ(contents_of_message(R"([{"type": "text", "text": "a"}, {"type": "text", "text": ""},
      {"type": "image", "image": "/a"}, {"type": "text", "text": "b"}, {"type": "text", "text": "c"}])"),
            (Texts{"a", "", "<>", "b", "c"}));
  for (const char* content : {R"("")", R"([{"type": "text", "text": ""}])"})
    EXPECT_EQ(contents_of_message(content), Texts{""}) << content;
  EXPECT_EQ(contents_of_message("[]"), Texts());
}

TEST(ConversationTexts, AreNotWhatIsEmptyBesideAMarker) {
  const auto record = Json::parse(R"({"images": ["/a", "/b"], "conversations": [
      {"from": "human", "value": "<image>\n<image>"}, {"from": "gpt", "value": ""}]})");
  const auto turns =
      parse_conversation(record, "/pictures", "train.json, record 1", "1", /*answers_required=*/false).turns;
  EXPECT_EQ(turns[0].contents.size(), 2U);
  ASSERT_EQ(turns[1].contents.size(), 1U);
  EXPECT_EQ(turns[1].contents[0].text, "");
}

TEST(ConversationTexts, HaveNoMarkersWhereAPartSaysSo) {
  const auto part_with = [](const std::string& keys) {
    return R"([{"type": "text", "text": "a <image> tag")" + keys + "}]";
  };
  EXPECT_EQ(contents_of_message(part_with(R"(, "markers": false)")), Texts{"a <image> tag"});
  for (const char* keys : {"", R"(, "markers": true)", R"(, "markers": null)"})
    expect_error([&] { contents_of_message(part_with(keys)); }, {"1 places for pictures"});
  expect_error([&] { contents_of_message(part_with(R"(, "markers": "no")")); },
               {"record 1, messages[0].content[0]: key 'markers' is a string"});
}

}  // namespace
}  // namespace vlsi
