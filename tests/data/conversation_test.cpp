#include "data/conversation.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

Conversation parse(const std::string& text, bool answers_required = true) {
  return parse_conversation(Json::parse(text), "/pictures", "train.json, record 12 (line 40)", "12", answers_required);
}

/// The turns as one line: "user(<a.jpg>|text) assistant(text)".
std::string shape(const Conversation& conversation) {
  std::string result;
  for (const auto& turn : conversation.turns) {
    result += result.empty() ? "" : " ";
    result += turn.role == Role::kSystem ? "system(" : turn.role == Role::kUser ? "user(" : "assistant(";
    for (size_t i = 0; i < turn.contents.size(); ++i) {
      const auto& content = turn.contents[i];
      result += i > 0 ? "|" : "";
      result += content.kind == Content::Kind::kText ? content.text : "<" + content.image.string() + ">";
    }
    result += ")";
  }
  return result;
}

std::string parsing_error(const std::string& text, bool answers_required = true) {
  try {
    parse(text, answers_required);
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    EXPECT_EQ(std::string(error.what()).find("train.json, record 12 (line 40)"), 0) << error.what();
    return error.what();
  }
  return "no error";
}

void expect_parsing_error(const std::string& text, const std::string& part) {
  const auto error = parsing_error(text);
  EXPECT_NE(error.find(part), std::string::npos) << error << "\nlacks: " << part;
}

/// A record with one question and one answer.
std::string ask(const std::string& question, const std::string& keys = "") {
  return R"({)" + keys + R"("conversations": [{"from": "human", "value": ")" + question +
         R"("}, {"from": "gpt", "value": "yes"}]})";
}

/// A messages record whose user turn has this content.
std::string message(const std::string& content, const std::string& keys = "") {
  return R"({)" + keys + R"("messages": [{"role": "user", "content": )" + content +
         R"(}, {"role": "assistant", "content": "yes"}]})";
}

TEST(Conversation, ReadsALlavaRecord) {
  const auto conversation =
      parse(ask(R"(<image>\nIs it red?)", R"("id": "a7", "category": "color", "image": "a.jpg",)"));
  EXPECT_EQ(conversation.id, "a7");
  EXPECT_EQ(conversation.category, "color");
  EXPECT_EQ(shape(conversation), "user(</pictures/a.jpg>|Is it red?) assistant(yes)");
}

TEST(Conversation, ReadsMessages) {
  EXPECT_EQ(shape(parse(R"({"messages": [{"role": "system", "content": "Be brief."},
      {"role": "user", "content": "Hi <image>!"}, {"role": "assistant", "content": "Ho"}], "images": ["b.png"]})")),
            "system(Be brief.) user(Hi |</pictures/b.png>|!) assistant(Ho)");
}

TEST(Conversation, TakesNumbersAndIdxAsId) {
  EXPECT_EQ(parse(ask("?", R"("id": 31,)")).id, "31");
  EXPECT_EQ(parse(ask("?", R"("idx": 4,)")).id, "4");
  EXPECT_EQ(parse(ask("?", R"("id": null, "idx": "x",)")).id, "x");
  EXPECT_EQ(parse(ask("?")).id, "12");
  expect_parsing_error(ask("?", R"("id": true,)"), "(line 40), id: is ");
}

TEST(Conversation, TakesOneNewlineWithAMarkerAndKeepsItsPlace) {
  const auto shape_of = [](const std::string& question, const std::string& images) {
    return shape(parse(ask(question, "\"image\": " + images + ",")));
  };
  EXPECT_EQ(shape_of(R"(Q\n<image>)", R"("/a")"), "user(Q|</a>) assistant(yes)");
  EXPECT_EQ(shape_of(R"(Q\n<image>\n\nR)", R"("/a")"), "user(Q\n|</a>|\nR) assistant(yes)");
  EXPECT_EQ(shape_of(R"(<image>\n<image>\nQ)", R"(["/a", "/b"])"), "user(</a>|</b>|Q) assistant(yes)");
  EXPECT_EQ(shape_of(R"(<image><image>)", R"(["/a", "/b"])"), "user(</a>|</b>) assistant(yes)");
  EXPECT_EQ(shape_of(R"(is <image> like <image>?)", R"(["/a", "/b"])"), "user(is |</a>| like |</b>|?) assistant(yes)");
}

TEST(Conversation, PutsPicturesWithoutMarkersInFrontOfTheFirstQuestion) {
  EXPECT_EQ(shape(parse(ask("Q", R"("images": ["/a", "/b"],)"))), "user(</a>|</b>|Q) assistant(yes)");
}

TEST(Conversation, ReadsTextOnlyRecords) {
  EXPECT_EQ(shape(parse(ask("Q", R"("video": null, "videos": [],)"))), "user(Q) assistant(yes)");
  for (const char* keys : {"", R"("image": null,)", R"("images": [],)", R"("image": null, "images": null,)"}) {
    EXPECT_EQ(shape(parse(ask("Q", keys))), "user(Q) assistant(yes)") << keys;
  }
}

TEST(Conversation, TakesMarkersFromUserTurnsOnly) {
  EXPECT_EQ(shape(parse(R"({"image": "/a", "conversations": [{"from": "system", "value": "<image>s"},
      {"from": "human", "value": "<image>\nQ"}, {"from": "gpt", "value": "an\n<image> tag"}]})")),
            "system(<image>s) user(</a>|Q) assistant(an\n<image> tag)");
}

TEST(Conversation, SpreadsPicturesOverTheTurns) {
  EXPECT_EQ(shape(parse(R"({"image": ["/a", "/b"], "conversations": [{"from": "user", "value": "<image>1"},
      {"from": "assistant", "value": "x"}, {"from": "human", "value": "2<image>"}, {"from": "gpt", "value": "y"}]})")),
            "user(</a>|1) assistant(x) user(2|</b>) assistant(y)");
}

TEST(Conversation, DropsAGreetingAndKeepsTheSystemTurn) {
  EXPECT_EQ(shape(parse(R"({"conversations": [{"from": "gpt", "value": "Hello!"}, {"from": "human", "value": "Q"},
      {"from": "gpt", "value": "A"}]})")),
            "user(Q) assistant(A)");
  EXPECT_EQ(shape(parse(R"({"conversations": [{"from": "system", "value": "S"}, {"from": "gpt", "value": "Hello!"},
      {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]})")),
            "system(S) user(Q) assistant(A)");
}

TEST(Conversation, ReadsContentLists) {
  EXPECT_EQ(
      shape(parse(message(R"([{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": " two"},
      {"type": "image", "text": null}])",
                          R"("images": ["/a", "b"],)"))),
      "user(one |</a>| two|</pictures/b>) assistant(yes)");
  EXPECT_EQ(
      shape(parse(message(R"([{"type": "image", "image": "a"}, {"type": "image_url", "image_url": {"url": "/b"}}])"))),
      "user(</pictures/a>|</b>) assistant(yes)");
}

TEST(Conversation, RefusesUrls) {
  expect_parsing_error(
      message(R"([{"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}])"),
      "messages[0].content[0].image_url.url: is the URL 'https://a.b/c.png', expected the path of a picture file");
  expect_parsing_error(message(R"([{"type": "image", "image": "data:image/png;base64,AAAA"}])"), "expected the path");
  expect_parsing_error(ask("Q", R"("image": "http://a/b",)"), "(line 40), image: is the URL");
}

TEST(Conversation, RefusesWrongTypesByKey) {
  EXPECT_NE(parsing_error("[]").find("expected an object"), std::string::npos);
  expect_parsing_error(R"({"conversations": {}})", "conversations: is ");
  expect_parsing_error(R"({"conversations": ["hi"]})", "conversations[0]: is ");
  expect_parsing_error(R"({"conversations": [{"from": 1, "value": ""}]})", "conversations[0]: key 'from' is ");
  expect_parsing_error(R"({"conversations": [{"from": "human", "value": 1}]})", "conversations[0].value: is ");
  expect_parsing_error(R"({"conversations": [{"from": "human", "value": []}]})", "conversations[0].value: is ");
  expect_parsing_error(R"({"conversations": [{"from": "human"}]})", "conversations[0]: key 'value' is missing");
  expect_parsing_error(R"({"conversations": [{"value": "Q"}]})", "conversations[0]: key 'from' is missing");
  expect_parsing_error(R"({"id": "a"})", "'conversations' or 'messages' is missing");
  expect_parsing_error(R"({"messages": [], "conversations": []})", "both 'conversations' and 'messages'");
  expect_parsing_error(ask("Q", R"("image": 3,)"), "image: is ");
  expect_parsing_error(ask("Q", R"("image": "",)"), "image: is empty");
  expect_parsing_error(ask("Q", R"("image": "a\u0000b",)"), "NUL");
  expect_parsing_error(ask("Q", R"("images": ["/a", 3],)"), "images[1]: is ");
  expect_parsing_error(ask("Q", R"("image": "/a", "images": ["/b"],)"), "both 'image' and 'images'");
  expect_parsing_error(ask("Q", R"("category": 3,)"), "category");
  expect_parsing_error(ask("Q", R"("video": "a.mp4",)"), "video: is a string, expected none");
  expect_parsing_error(ask("Q", R"("videos": ["a.mp4"],)"), "videos: is an array");
  expect_parsing_error(message(R"([3])"), "messages[0].content[0]: is ");
  expect_parsing_error(message(R"({})"), "messages[0].content: is ");
  expect_parsing_error(message(R"([{"type": "video"}])"), "messages[0].content[0].type: 'video' is unknown");
  expect_parsing_error(message(R"([{"text": "x"}])"), "messages[0].content[0]: key 'type' is missing");
  expect_parsing_error(message(R"([{"type": "text"}])"), "messages[0].content[0]: key 'text' is missing");
  expect_parsing_error(message(R"([{"type": "image_url"}])"), "key 'image_url' is missing");
  expect_parsing_error(R"({"messages": [{"role": "user", "content": "Q"},
      {"role": "assistant", "content": [{"type": "image"}]}]})",
                       "messages[1].content[0]: a picture in a turn that is not the user's");
}

TEST(Conversation, RefusesUnknownRoles) {
  EXPECT_EQ(parsing_error(R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "bot", "value": "A"}]})"),
            "train.json, record 12 (line 40), conversations[1].from: role 'bot' is unknown, expected human, user, gpt, "
            "assistant or system");
  expect_parsing_error(R"({"messages": [{"role": "human", "content": "Q"}]})",
                       "messages[0].role: role 'human' is unknown, expected user, assistant or system");
  expect_parsing_error(R"({"messages": [{"role": "a\nb", "content": "Q"}]})", "role 'a\\x0ab' is unknown");
}

TEST(Conversation, RefusesRolesThatDoNotAlternate) {
  const auto turns = [](const std::vector<std::string>& roles) {
    std::string text = R"({"conversations": [)";
    for (size_t i = 0; i < roles.size(); ++i)
      text += (i ? ", {" : "{") + ("\"from\": \"" + roles[i]) + R"(", "value": "x"})";
    return text + "]}";
  };
  expect_parsing_error(turns({"human", "human"}), "conversations[1].from: a user turn follows a user turn");
  expect_parsing_error(turns({"human", "gpt", "gpt"}),
                       "conversations[2].from: an assistant turn follows an assistant turn");
  expect_parsing_error(turns({"gpt", "gpt", "human"}), "conversations[1].from: an assistant turn without a question");
  expect_parsing_error(turns({"human", "system", "gpt"}), "conversations[1].from: a system turn after other turns");
  expect_parsing_error(turns({"gpt"}), "no user turn");
  expect_parsing_error(turns({"system"}), "no user turn");
  expect_parsing_error(turns({}), "no user turn");
}

TEST(Conversation, RefusesCountsOfMarkersAndPicturesThatDiffer) {
  expect_parsing_error(ask("<image> or <image>", R"("image": "/a",)"), "2 places for pictures");
  expect_parsing_error(ask("<image>", R"("images": ["/a", "/b"],)"), "has 2 pictures");
  expect_parsing_error(ask("<image>"), "has 0 pictures");
  expect_parsing_error(message(R"([{"type": "image"}])"), "has 0 pictures");
  expect_parsing_error(message(R"([{"type": "image", "image": "/a"}])", R"("images": ["/b"],)"), "has 1 pictures");
}

TEST(Conversation, WantsAnAnswerOnlyWhenAsked) {
  const std::string question = R"({"conversations": [{"from": "human", "value": "Q"}]})";
  const std::string blank = R"({"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": " \n"}]})";
  expect_parsing_error(question, "has no answer");
  expect_parsing_error(blank, "has no answer");
  EXPECT_EQ(shape(parse(question, false)), "user(Q)");
}

}  // namespace
}  // namespace vlsi
