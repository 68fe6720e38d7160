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

TEST(Conversation, HasNoPictureWhereAListSaysNone) {
  const std::string none = R"({"bytes": null, "path": null})";
  EXPECT_EQ(shape(parse(ask("Q", concat(R"("images": [null, )", none, "],")))), "user(Q) assistant(yes)");
  EXPECT_EQ(shape(parse(ask("<image>Q", concat(R"("images": [)", none, R"(, "/a", null],)")))),
            "user(</a>|Q) assistant(yes)");
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

TEST(Conversation, TakesWindowsLineEndsWithAMarker) {
  const auto shape_of = [](const std::string& question) { return shape(parse(ask(question, R"("image": "/a",)"))); };
  EXPECT_EQ(shape_of(R"(<image>\r\nQ)"), "user(</a>|Q) assistant(yes)");
  EXPECT_EQ(shape_of(R"(Q\r\n<image>)"), "user(Q|</a>) assistant(yes)");
  EXPECT_EQ(shape_of(R"(Q\r\n<image>\r\n\r\nR)"), "user(Q\r\n|</a>|\r\nR) assistant(yes)");
  EXPECT_EQ(shape_of(R"(Q\r<image>\rR)"), "user(Q\r|</a>|\rR) assistant(yes)");
}

TEST(Conversation, HasNoMarkersInTextBesidePictureParts) {
  EXPECT_EQ(shape(parse(message(R"([{"type": "image"}, {"type": "text", "text": "What is <image>\n in HTML?"}])",
                                R"("image": "/a",)"))),
            "user(</a>|What is <image>\n in HTML?) assistant(yes)");
  EXPECT_EQ(shape(parse(message(R"([{"type": "text", "text": "<image>\nQ"}])", R"("image": "/a",)"))),
            "user(</a>|Q) assistant(yes)");
}

TEST(Conversation, ReadsEveryNameOfAPicture) {
  for (const char* part :
       {R"("type": "image", "image": "a")", R"("type": "image", "path": "a")", R"("type": "image", "url": "a")",
        R"("type": "image_url", "image_url": "a")",
        R"("type": "image_url", "image_url": {"url": "a", "detail": "low"})",
        R"("type": "image_url", "url": "a", "image_url": null)", R"("type": "image", "image": "file:///pictures/a")"}) {
    EXPECT_EQ(shape(parse(message(concat("[{", part, R"(}, {"type": "image"}])"), R"("images": ["/b"],)"))),
              "user(</pictures/a>|</b>) assistant(yes)")
        << part;
  }
  expect_parsing_error(message(R"([{"type": "image", "image": "a", "url": "b"}])"),
                       "messages[0].content[0]: has both 'image' and 'url', expected one picture in a part");
  expect_parsing_error(message(R"([{"type": "image", "path": 3}])"), "messages[0].content[0]: key 'path' is 3");
  expect_parsing_error(message(R"([{"type": "image_url", "image_url": {}}])"), "image_url: key 'url' is missing");
}

TEST(Conversation, HoldsAPictureInItsRecord) {
  const std::string png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB";
  const auto contents = parse(message(R"([{"type": "image", "base64": ")" + png + R"("}, {"type": "image"}])",
                                      R"("image": "data:image/png;base64,)" + png + R"(",)"))
                            .turns[0]
                            .contents;
  EXPECT_EQ(contents[0].picture_file.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(contents[1].picture_file, contents[0].picture_file);
  EXPECT_EQ(contents[1].image, contents[0].image);
}

TEST(Conversation, ReadsAPicturesOwnLimits) {
  const auto limits_of = [](const std::string& keys) {
    return parse(message(R"([{"type": "image", "image": "/a")" + keys + "}]")).turns[0].contents[0].limits;
  };
  EXPECT_EQ(limits_of(""), PictureLimits());
  EXPECT_EQ(limits_of(R"(, "min_pixels": 784, "max_pixels": 1568)"), (PictureLimits{784, 1568, {}, {}}));
  EXPECT_EQ(limits_of(R"(, "resized_height": 28, "resized_width": 56, "max_pixels": null)"),
            (PictureLimits{{}, {}, 28, 56}));
  const auto expect_wrong = [&](const std::string& keys, const std::string& part) {
    expect_parsing_error(message(R"([{"type": "image", "image": "/a", )" + keys + "}]"), part);
  };
  expect_wrong(R"("max_pixels": 0)", "messages[0].content[0].max_pixels: is 0, expected 1 to");
  expect_wrong(R"("resized_width": 999999999, "resized_height": 1)", ".resized_width: is 999999999");
  expect_wrong(R"("min_pixels": "1")", "key 'min_pixels' is a string");
  expect_wrong(R"("min_pixels": 5, "max_pixels": 4)", ".min_pixels: is 5, expected at most max_pixels, which is 4");
  expect_wrong(R"("resized_height": 28)", "one of 'resized_height' and 'resized_width'");
}

TEST(Conversation, TakesARecordsSystemKey) {
  EXPECT_EQ(shape(parse(ask("Q", R"("system": "Be brief.",)"))), "system(Be brief.) user(Q) assistant(yes)");
  EXPECT_EQ(shape(parse(message(R"("Q")", R"("system": "S",)"))), "system(S) user(Q) assistant(yes)");
  EXPECT_EQ(shape(parse(R"({"system": "S", "conversations": [{"from": "gpt", "value": "Hello!"},
      {"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]})")),
            "system(S) user(Q) assistant(A)");
  for (const char* none : {R"("system": "",)", R"("system": null,)"})
    EXPECT_EQ(shape(parse(ask("Q", none))), "user(Q) assistant(yes)");
  expect_parsing_error(ask("Q", R"("system": ["S"],)"), "(line 40): key 'system' is an array");
  expect_parsing_error(R"({"system": "S", "messages": [{"role": "system", "content": "T"},
      {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]})",
                       "messages[0]: is a system turn, but the record has a key 'system'");
}

/// A record of two answers; `keys` are the first one's.
std::string two_answers(const std::string& keys, const std::string& user_keys = "") {
  return R"({"messages": [{"role": "user", "content": "1?")" + user_keys +
         R"(}, {"role": "assistant", "content": "one")" + keys +
         R"(}, {"role": "user", "content": "2?"}, {"role": "assistant", "content": "two"}]})";
}

TEST(Conversation, WeighsItsTurns) {
  const auto weight_of = [](const std::string& keys) {
    const auto turns = parse(two_answers(keys)).turns;
    EXPECT_EQ(turns[3].weight, 1);
    return turns[1].weight;
  };
  for (const char* key : {"loss", "loss_scale", "weight", "train"}) {
    const auto with = [&](const char* value) { return concat(", \"", key, "\": ", value); };
    EXPECT_EQ(weight_of(with("false")), 0);
    EXPECT_EQ(weight_of(with("0")), 0);
    EXPECT_EQ(weight_of(with("true")), 1);
    EXPECT_EQ(weight_of(with("null")), 1);
    EXPECT_EQ(weight_of(with("0.25")), 0.25);
    expect_parsing_error(two_answers(with("-1")), concat("messages[1].", key, ": is -1, expected 0 or a number from"));
    expect_parsing_error(two_answers(with("1e-9")), "expected 0 or a number from 1e-06 to 1e+06");
    expect_parsing_error(two_answers(with("\"no\"")), concat("messages[1].", key, ": is a string"));
    expect_parsing_error(two_answers("", with("true")), concat("messages[0].", key, ": is true in a turn that is not"));
    EXPECT_EQ(parse(two_answers("", with("false"))).turns.size(), 4U);
  }
  EXPECT_EQ(weight_of(R"(, "weight": 3, "train": false)"), 0);
  EXPECT_EQ(weight_of(R"(, "weight": 3, "train": true, "loss": 0.5)"), 1.5);
}

TEST(Conversation, HasNoAnswerWhereAllWeighNothing) {
  const std::string record = R"({"conversations": [{"from": "human", "value": "Q"},
      {"from": "gpt", "value": "A", "train": false}]})";
  expect_parsing_error(record, "has no answer");
  EXPECT_EQ(parse(record, false).turns[1].weight, 0);
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
  expect_parsing_error(R"({"id": "a"})", "keys 'conversations', 'messages', 'texts' and 'instruction' are missing");
  expect_parsing_error(R"({"messages": [], "conversations": []})", "both 'conversations' and 'messages'");
  expect_parsing_error(ask("Q", R"("image": 3,)"), "image: is ");
  expect_parsing_error(ask("Q", R"("image": "",)"), "image: is empty");
  expect_parsing_error(ask("Q", R"("image": "a\u0000b",)"), "NUL");
  expect_parsing_error(ask("Q", R"("images": ["/a", 3],)"), "images[1]: is ");
  expect_parsing_error(ask("Q", R"("image": "/a", "images": ["/b"],)"), "both 'image' and 'images'");
  expect_parsing_error(ask("Q", R"("category": ["a"],)"), "category");
  EXPECT_EQ(parse(ask("Q", R"("category": 3,)")).category, "3");
  expect_parsing_error(ask("Q", R"("video": "a.mp4",)"), "video: is a string, expected none");
  expect_parsing_error(ask("Q", R"("videos": ["a.mp4"],)"), "videos: is an array");
  expect_parsing_error(ask("Q", R"("tools": [{"name": "a"}],)"), "tools: is an array, expected none: tools are not");
  expect_parsing_error(ask("Q", R"("tools": "[{\"a\": 1}]",)"),
                       "tools: is a string, expected none: tools are not supported");
  expect_parsing_error(ask("Where is <bbox>?", R"("objects": {"bbox": [[1, 2, 3, 4]]},)"), "objects: is an object");
  expect_parsing_error(ask("<ref-object>", R"("objects": {"ref": ["a"]},)"), "<ref-object> and <bbox>, are not");
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

TEST(Conversation, PassesOverEmptyKeysThatAreNotSupportedAndObjectsWithoutPlaces) {
  for (const char* keys : {R"("tools": [],)", R"("tools": "",)", R"("tools": "[]",)", R"("tools": null,)",
                           R"("objects": {"bbox": [[1, 2, 3, 4]]},)", R"("videos": [],)"}) {
    EXPECT_EQ(shape(parse(ask("Q", keys))), "user(Q) assistant(yes)") << keys;
  }
  EXPECT_EQ(shape(parse(ask("<bbox>", R"("objects": {},)"))), "user(<bbox>) assistant(yes)");
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

TEST(Conversation, IsAnInstructionWithItsOutput) {
  EXPECT_EQ(shape(parse(R"({"instruction": "Add.", "input": "1 + 1", "output": "2", "source": "x"})")),
            "user(Add.\n1 + 1) assistant(2)");
  EXPECT_EQ(shape(parse(R"({"instruction": "Q", "input": "", "output": "A", "image": "a.jpg"})")),
            "user(</pictures/a.jpg>|Q) assistant(A)");
  expect_parsing_error(R"({"instruction": "Q", "output": ""})", "has no answer");
  expect_parsing_error(R"({"instruction": "Q", "messages": []})", "has both 'instruction' and 'messages'");
}

TEST(Conversation, PutsTheHistoryOfAnInstructionBeforeIt) {
  const std::string record = R"({"system": "S", "instruction": "<image>3?", "output": "three", "images": ["/a", "/b"],
      "history": )";
  EXPECT_EQ(shape(parse(record + R"([["1?\n<image>", "one"], ["2?", "two"]]})")),
            "system(S) user(1?|</a>) assistant(one) user(2?) assistant(two) user(</b>|3?) assistant(three)");
  EXPECT_EQ(shape(parse(R"({"instruction": "Q", "output": "A", "history": []})")), "user(Q) assistant(A)");
  EXPECT_EQ(shape(parse(R"({"instruction": "Q", "output": "A", "history": null})")), "user(Q) assistant(A)");
  EXPECT_EQ(shape(parse(R"({"instruction": "Q", "output": "A", "history": ""})")), "user(Q) assistant(A)");
  expect_parsing_error(record + R"("x"})", "history: is a string, expected an array of [user, assistant]");
  expect_parsing_error(record + R"([["1?"]]})", "history[0]: is an array, expected two texts [user, assistant]");
  expect_parsing_error(record + R"([["1?", 2]]})", "history[0]: is ");
}

TEST(Conversation, TakesTheOtherMarkerOfARecordWithoutTheUsualOne) {
  EXPECT_EQ(shape(parse(ask("A <|image|>B", R"("image": ["/a"],)"))), "user(A |</a>|B) assistant(yes)");
  EXPECT_EQ(shape(parse(ask("<image><|image|>", R"("image": ["/a"],)"))), "user(</a>|<|image|>) assistant(yes)");
  EXPECT_EQ(shape(parse(ask("<|image|>"))), "user(<|image|>) assistant(yes)");
}

TEST(WithAnswer, ReplacesWhatStandsBehindTheLastQuestionInEveryForm) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"id": 1, "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}], "messages": null})",
       R"({"id": 1, "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "new"}], "messages": null})"},
      {R"({"messages": [{"role": "user", "content": "Q"}], "conversations": null})",
       R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "new"}], "conversations": null})"},
      {R"({"texts": [{"user": "P", "assistant": "A"}, {"user": "Q", "assistant": "B"}]})",
       R"({"texts": [{"user": "P", "assistant": "A"}, {"user": "Q", "assistant": "new"}]})"},
      {R"({"instruction": "Q", "texts": null})", R"({"instruction": "Q", "texts": null, "output": "new"})"}};
  for (const auto& [record, expected] : cases) {
    const auto answered = with_answer(Json::parse(record), "new");
    EXPECT_EQ(answered, Json::parse(expected)) << record;
    EXPECT_EQ(text_of(parse(answered.dump()).turns.back()), "new") << record;
  }
}

}  // namespace
}  // namespace vlsi
