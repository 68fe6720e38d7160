// Messages, and where their pictures may be.
#include "serve/openai/messages.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "serve/openai/error.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

std::string refusal(const std::string& messages, const std::filesystem::path& media = {}) {
  try {
    read_messages(Json::parse(messages), {media, nullptr});
  } catch (const RequestError& error) {
    EXPECT_EQ(error.status, 400);
    return concat(error.param, " | ", error.what());
  }
  return "taken";
}

std::string with_picture(const std::string& url) {
  return Json{
      {{"role", "user"},
       {"content", {{{"type", "image_url"}, {"image_url", {{"url", url}}}}, {{"type", "text"}, {"text", "?"}}}}}}
      .dump();
}

TEST(Messages, KeepTheOrderOfTextsAndPictures) {
  const std::string url = "data:image/png;base64," + base64("\x89PNG");
  const auto part = [&](const std::string& text) -> Json { return {{"type", "text"}, {"text", text}}; };
  const Json picture{{"type", "image_url"}, {"image_url", url}, {"max_pixels", 100}};
  const Json messages{{{"role", "developer"}, {"content", "s"}},
                      {{"role", "user"}, {"content", {part("<image>a"), picture, part("b")}}},
                      {{"role", "assistant"}, {"content", "c"}},
                      {{"role", "user"}, {"content", "d <image>"}, {"name", "n"}},
                      {{"role", "user"}, {"content", "e"}}};
  std::vector<std::string> ignored;
  const auto conversation = read_messages(messages, {{}, [&](const std::string& key) { ignored.push_back(key); }});
  ASSERT_EQ(conversation.turns.size(), 5U);
  EXPECT_EQ(conversation.turns[0].role, Role::kSystem);
  const auto& contents = conversation.turns[1].contents;
  ASSERT_EQ(contents.size(), 3U);
  EXPECT_EQ(contents[0].text, "<image>a") << "a marker of data files is text here";
  EXPECT_EQ(contents[1].picture_file, "\x89PNG");
  EXPECT_EQ(contents[1].limits.max_pixels, 100);
  EXPECT_EQ(contents[2].text, "b");
  EXPECT_EQ(text_of(conversation.turns[3]), "d <image>");
  EXPECT_EQ(ignored, std::vector<std::string>{"name"});
}

TEST(Messages, HaveTheAssistantsRefusalsAsItsTexts) {
  const Json user{{"role", "user"}, {"content", "a"}}, part{{"type", "refusal"}, {"refusal", "never"}};
  const Json messages{user, {{"role", "assistant"}, {"content", nullptr}, {"refusal", "no"}},
                      user, {{"role", "assistant"}, {"refusal", "not this"}},
                      user, {{"role", "assistant"}, {"content", Json::array({part})}},
                      user, {{"role", "assistant"}, {"content", "yes"}, {"refusal", nullptr}},
                      user};
  const auto turns = read_messages(messages, {}).turns;
  ASSERT_EQ(turns.size(), 9U);
  EXPECT_EQ(text_of(turns[1]), "no");
  EXPECT_EQ(text_of(turns[3]), "not this");
  EXPECT_EQ(text_of(turns[5]), "never");
  EXPECT_EQ(text_of(turns[7]), "yes");
  EXPECT_TRUE(refusal(R"([{"role": "user", "content": null, "refusal": "no"}])").starts_with("messages[0].content | "));
  EXPECT_TRUE(
      refusal(R"([{"role": "assistant", "content": null, "refusal": null}])").starts_with("messages[0].content | "));
  EXPECT_TRUE(
      refusal(R"([{"role": "assistant", "content": null, "refusal": 1}])").starts_with("messages[0].refusal | "));
  EXPECT_TRUE(refusal(R"([{"role": "assistant", "content": [{"type": "refusal"}]}])")
                  .starts_with("messages[0].content[0].refusal | "));
  EXPECT_TRUE(refusal(R"([{"role": "user", "content": [{"type": "refusal", "refusal": "no"}]}])")
                  .starts_with("messages[0].content[0].type | "));
}

TEST(Messages, AreRefusedByTheKeyThatIsWrong) {
  EXPECT_TRUE(refusal("[]").starts_with("messages | ")) << refusal("[]");
  EXPECT_TRUE(refusal("{}").starts_with("messages | "));
  EXPECT_TRUE(refusal("[1]").starts_with("messages[0] | "));
  EXPECT_TRUE(refusal(R"([{"content": "a"}])").starts_with("messages[0].role | "));
  EXPECT_TRUE(refusal(R"([{"role": "tool", "content": "a"}])").starts_with("messages[0].role | "));
  EXPECT_TRUE(refusal(R"([{"role": "user"}])").starts_with("messages[0].content | "));
  EXPECT_TRUE(refusal(R"([{"role": "user", "content": 1}])").starts_with("messages[0].content | "));
  EXPECT_TRUE(refusal(R"([{"role": "user", "content": ["a"]}])").starts_with("messages[0].content[0] | "));
  EXPECT_TRUE(
      refusal(R"([{"role": "user", "content": [{"type": "video"}]}])").starts_with("messages[0].content[0].type | "));
  EXPECT_TRUE(
      refusal(R"([{"role": "user", "content": [{"type": "text"}]}])").starts_with("messages[0].content[0].text | "));
  EXPECT_TRUE(refusal(R"([{"role": "user", "content": [{"type": "image_url"}]}])")
                  .starts_with("messages[0].content[0].image_url | "));
  EXPECT_TRUE(refusal(R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])")
                  .starts_with("messages[1].role | "));
  EXPECT_TRUE(refusal(R"([{"role": "system", "content": [{"type": "image_url", "image_url": "data:,"}]},
                          {"role": "user", "content": "a"}])")
                  .starts_with("messages[0].content[0] | "));
  EXPECT_TRUE(
      refusal(R"([{"role": "assistant", "content": "a", "tool_calls": [{}]}])").starts_with("messages[0].tool_calls"));
}

TEST(Messages, TakeNoPictureFromElsewhere) {
  const std::string key = "messages[0].content[0].image_url.url | ";
  for (const char* url : {"http://example.org/a.png", "HTTPS://example.org/a.png"}) {
    EXPECT_TRUE(refusal(with_picture(url)).starts_with(key)) << refusal(with_picture(url));
    EXPECT_NE(refusal(with_picture(url)).find("not fetched"), std::string::npos);
  }
  for (const char* url : {"", "a.png", "/etc/passwd", "ftp://x/a.png", "iVBORw0KGgo=", "data:image/png,abc",
                          "data:image/png;base64,!!", "data:image/png;base64,", "file:///etc/passwd"})
    EXPECT_TRUE(refusal(with_picture(url)).starts_with(key)) << url << ": " << refusal(with_picture(url));
}

TEST(Messages, NameFilesBelowTheServersFolderAlone) {
  const Folder folder({{"media/in/a b.png", "picture"}, {"media/empty.png", ""}, {"secret.png", "secret"}});
  namespace fs = std::filesystem;
  fs::create_symlink(folder / "secret.png", folder / "media/link.png");
  fs::create_symlink(folder / "media", folder / "media2");
  fs::create_directory(folder / "media-other");
  folder.write("media-other/a.png", "other");
  const auto refused = [&](const std::string& path) {
    return refusal(with_picture("file://" + (folder / path).string()), folder / "media");
  };
  const auto conversation = read_messages(
      Json::parse(with_picture("file://" + (folder / "media2/in/a%20b.png").string())), {folder / "media", nullptr});
  EXPECT_EQ(conversation.turns[0].contents[0].picture_file, "picture");
  const std::string outside = refused("secret.png");
  EXPECT_NE(outside.find("names no picture in the server's folder"), outside.npos) << outside;
  for (const char* path : {"media/../secret.png", "media/link.png", "media-other/a.png", "media/missing.png",
                           "media/in", "media/%2e%2e/secret.png", "missing.png"})
    EXPECT_NE(refused(path).find("names no picture in the server's folder"), std::string::npos)
        << path << refused(path);
  EXPECT_NE(refused("media/empty.png").find("empty"), std::string::npos);
  EXPECT_NE(refusal(with_picture("file:///a.png")).find("no folder of pictures"), std::string::npos);
}

}  // namespace
}  // namespace vlsi
