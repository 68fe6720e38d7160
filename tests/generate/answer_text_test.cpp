// Streamed text: whole code points, and nothing of a stop text, however tokens cut it.
#include "generate/answer_text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/utf8.h"

namespace vlsi {
namespace answer_text_tests {

const Tokenizer& tokenizer() {
  static const Tokenizer loaded = Tokenizer::load(VLSI_TEST_DATA "/tiny/tokenizer");
  return loaded;
}

struct Streamed {
  std::vector<std::string> pieces;
  std::string text;
  bool is_stopped;
};

Streamed stream(const std::string& text, const std::vector<std::string>& stop) {
  AnswerText answer(tokenizer(), stop);
  Streamed streamed;
  for (const int32_t token : tokenizer().encode(text, SpecialText::kPlain)) {
    if (!answer.is_stopped()) streamed.pieces.push_back(answer.push(token));
  }
  streamed.is_stopped = answer.is_stopped();
  streamed.pieces.push_back(answer.finish());
  streamed.text = answer.text();
  return streamed;
}

TEST(AnswerText, EndsBeforeTheFirstStopText) {
  EXPECT_EQ(stream("one two three", {"three", "two"}).text, "one ");
  EXPECT_EQ(stream("one two three", {"e t"}).text, "on");
  EXPECT_EQ(stream("aab", {"ab"}).text, "a");
  EXPECT_EQ(stream("one two", {"twofold"}).text, "one two");
  EXPECT_FALSE(stream("one two", {"twofold"}).is_stopped);
}

RC_GTEST_PROP(AnswerText, StreamsTheTextUpToTheStopText, ()) {
  const auto letters = rc::gen::elementOf(std::vector<std::string>{"a", "b", "ä", "日", " "});
  const auto words = [&](int size) {
    std::string text;
    for (const auto& letter : *rc::gen::container<std::vector<std::string>>(static_cast<size_t>(size), letters)) {
      text += letter;
    }
    return text;
  };
  const auto text = words(*rc::gen::inRange(0, 20));
  const std::vector<std::string> stop{words(*rc::gen::inRange(1, 3)), words(*rc::gen::inRange(1, 4))};
  const auto end = std::min(text.find(stop[0]), text.find(stop[1]));
  const auto streamed = stream(text, stop);
  RC_ASSERT(streamed.text == text.substr(0, end));
  RC_ASSERT(streamed.is_stopped == (end != std::string::npos));
  std::string joined;
  for (const auto& piece : streamed.pieces) {
    RC_ASSERT(find_invalid_utf8(piece) == std::string::npos);
    joined += piece;
  }
  RC_ASSERT(joined == streamed.text);
}

}  // namespace answer_text_tests
}  // namespace vlsi
