// What is sent to a judge, what is remembered, and the prompts that a user brings.
#include "eval/judge/judge.h"

#include "tests/eval/judge/judge_of.h"

namespace vlsi {
namespace {

using judge_test::http;
using judge_test::Received;
using judge_test::says;
using judge_test::ScriptedServer;

TEST(Judge, RemembersWhatItSaid) {
  const ScriptedServer server([](const Received&, size_t number) { return says(std::to_string(number)); });
  const Folder folder;
  const auto config = judge_test::config_of(server, folder);
  const JudgeRequest request{"", "How good?"};
  JudgeRequest again = request, hotter = request;
  again.attempt = 1;
  hotter.temperature = 0.5;
  {
    const Judge judge(config);
    EXPECT_EQ(judge.ask(request).text, "0");
    EXPECT_EQ(judge.ask(request).text, "0");
    EXPECT_EQ(judge.ask(again).text, "1");
    EXPECT_EQ(judge.ask(hotter).text, "2");
  }
  const Judge later(config);
  EXPECT_EQ(later.ask(request).text, "0");
  EXPECT_EQ(later.ask(hotter).text, "2");
  EXPECT_EQ(server.num_received(), 3);
  auto other = config;
  other.model = "another";
  EXPECT_EQ(Judge(other).ask(request).text, "3");

  for (const auto& entry : std::filesystem::directory_iterator(config.cache)) write_text(entry.path(), "{\"reply\": ");
  EXPECT_ERROR(later.ask(request), ".json");
}

TEST(Judge, SendsWhatItsModelTakes) {
  const ScriptedServer server({says("x")});
  const Folder folder;
  auto config = judge_test::config_of(server, folder);
  Judge(config).ask({"Be fair.", "How good?", {"data:image/png;base64,AA=="}, 0.5, 3});
  EXPECT_EQ(server.body(0), Json::parse(R"({"model": "judge", "temperature": 0.5, "max_tokens": 3, "messages": [
      {"role": "system", "content": "Be fair."},
      {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                                   {"type": "text", "text": "How good?"}]}]})"));
  config.model = "openai/gpt-5-mini";
  Judge(config).ask({"", "How good?", {}, 0.5, 3});
  EXPECT_EQ(server.body(1), Json::parse(R"({"model": "openai/gpt-5-mini", "max_completion_tokens": 8195,
      "messages": [{"role": "user", "content": "How good?"}]})"));
  for (const char* name : {"o1", "o3-mini", "gpt-5.2", "gpt-5"}) EXPECT_TRUE(is_reasoning_model(name)) << name;
  for (const char* name : {"gpt-4o", "o1x", "gpt-50", "olmo-3"}) EXPECT_FALSE(is_reasoning_model(name)) << name;
}

TEST(Judge, ThatNeverAnswersEndsTheRun) {
  const ScriptedServer server({http(400, "no")});
  const Folder folder;
  const Judge judge(judge_test::config_of(server, folder));
  for (int i = 0; i < 49; ++i) EXPECT_EQ(judge.ask({"", std::to_string(i)}).text, std::nullopt);
  EXPECT_ERROR(judge.ask({"", "last"}), "50 questions one after the other got no answer, the last: status 400: no");
}

TEST(Judge, ThatAnsweredNothingIsAnErrorAtTheEnd) {
  std::atomic<bool> answers = false;
  const ScriptedServer server([&](const Received&, size_t) { return answers ? says("x") : http(500, "no"); });
  const Folder folder;
  const Judge judge(judge_test::config_of(server, folder));
  EXPECT_NO_THROW(judge.expect_answered());
  judge.ask({"", "0"});
  judge.ask({"", "1"});
  EXPECT_ERROR(judge.expect_answered(), concat("asking the judge at ", server.url(),
                                               ": no question got an answer, the last: status 500: no; the"));
  answers = true;
  judge.ask({"", "0"});
  EXPECT_NO_THROW(judge.expect_answered());
  answers = false;
  const Judge later(judge_test::config_of(server, folder));
  later.ask({"", "0"});  // is remembered
  later.ask({"", "1"});
  EXPECT_NO_THROW(later.expect_answered());
}

TEST(Judge, ThatAnswersOthersMayRefuseAnyNumber) {
  constexpr int kQuestions = 61;
  const auto refuses = [](const Received&, size_t number) { return number > 0 ? http(400, "no") : says("x"); };
  const ScriptedServer server(refuses);
  const Folder folder;
  const auto ask_all = [&] {
    const Judge judge(judge_test::config_of(server, folder));
    EXPECT_EQ(judge.ask({"", "0"}).text, "x");
    for (int i = 1; i < kQuestions; ++i) EXPECT_TRUE(judge.ask({"", std::to_string(i)}).refused);
  };
  ask_all();
  ask_all();  // the first answer is remembered, the refused questions are asked again
}

TEST(JudgePrompt, HasTheTextsInThePlacesOfTheirNames) {
  const JudgeFields fields{"Why {answer}?", "A", "P {question}", "A. x"};
  const JudgePrompt whole{"", "{question}|{answer}|{prediction}|{options}|{other} {", "For {answer}"};
  EXPECT_EQ(whole.filled(fields, "tail"), "Why {answer}?|A|P {question}|A. x|{other} {");
  EXPECT_EQ(whole.filled_system(fields), "For A");
  EXPECT_EQ((JudgePrompt{"", "Examples {}", ""}.filled(fields, "\n{prediction} | ")), "Examples {}\nP {question} | ");
}

TEST(JudgePrompts, AreFoundByTheirNames) {
  const Folder folder({{"choice.txt", "\xEF\xBB\xBF\n one \n"},
                       {"blink.txt", "two"},
                       {"blink-system.txt", "three"},
                       {"empty.txt", " \n"}});
  const JudgePrompts all(folder.path());
  const auto find = [&](const std::vector<std::string>& names) { return all.find(names); };
  EXPECT_EQ(find({"ai2d", "choice"})->text, "one");
  EXPECT_EQ(find({"blink", "choice"})->text, "two");
  EXPECT_EQ(find({"blink", "choice"})->system, "three");
  EXPECT_EQ(find({"mm-vet"}), std::nullopt);
  EXPECT_ERROR(find({"empty"}), "empty.txt: is empty");
  EXPECT_EQ(JudgePrompts(folder / "choice.txt").find(std::vector<std::string>{"mm-vet"})->text, "one");
  EXPECT_ERROR(JudgePrompts(folder / "none"), "there is no ");
}

}  // namespace
}  // namespace vlsi
