// A served model as a judge of answers: the two ends of OpenAI's interface, one against the other.
#include "eval/judge/judge.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/base64.h"
#include "eval/judging.h"
#include "serve/app.h"
#include "serve/chat_server.h"
#include "tests/serve/tiny_speaker.h"

namespace vlsi {
namespace {

using namespace std::chrono_literals;

class ServedJudge {
 public:
  ServedJudge() : server_(tiny_.speaker, config()), app_({}) {
    thread_ = std::thread([this] { app_.run(server_.pages(), 5ms, [this] { return !stop_; }); });
  }
  ~ServedJudge() {
    stop_ = true;
    thread_.join();
  }

  JudgeConfig judge(const Folder& folder) const {
    JudgeConfig config;
    config.endpoint.url = concat("http://127.0.0.1:", app_.port(), "/v1");
    config.endpoint.num_tries = 1;
    config.model = "tiny";
    config.prompts = JudgePrompts(folder / "prompts");
    config.cache = folder / "cache";
    return config;
  }

 private:
  ChatServerConfig config() const {
    ChatServerConfig config;
    config.model = "tiny";
    config.defaults = tiny_.speaker.greedy;
    return config;
  }

  TinySpeaker tiny_;
  ChatServer server_;
  App app_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST(ServedJudge, IsAskedByABenchmarkAndItsNonsenseCountsAsNothing) {
  const ServedJudge served;
  const Folder folder({{"prompts/mm-vet.txt", "score"},
                       {"mm-vet.json", R"({"v1_0": {"question": "what color?", "answer": "red", "imagename": "a.jpg"},
                                           "v1_1": {"question": "what shape?", "answer": "disc", "imagename": "a.jpg"}})"}});
  const auto judge = std::make_shared<const Judge>(served.judge(folder));
  const auto benchmark =
      benchmarks().find("mm-vet")->open({folder / "mm-vet.json", {}, ChosenProfile("vlmevalkit"), judge});
  const auto verdicts = judge_all(*benchmark, {{0, "red"}, {1, "a disc"}}, folder / "lines.jsonl", {.num_waiting = 2});
  for (const auto& verdict : verdicts) {
    EXPECT_TRUE(verdict.scored && verdict.judged);
    EXPECT_FALSE(verdict.parsed);  // what a model with random weights says is no number
    EXPECT_EQ(verdict.score, 0);
  }
  const auto num_replies = std::distance(std::filesystem::directory_iterator(folder / "cache"), {});
  EXPECT_EQ(num_replies, 10);  // five tries of each
}

TEST(ServedJudge, GetsPicturesAndTheLimitOfTokens) {
  const ServedJudge served;
  const Folder folder;
  folder.write("prompts/x.txt", "x");
  const Judge judge(served.judge(folder));
  const auto picture = content_of(std::filesystem::path(VLSI_TEST_DATA) / "images/rgb_8.png");
  const auto url = "data:image/png;base64," + base64(picture);
  const auto reply = judge.ask({"", "what is it?", {url}, 0, 4});
  ASSERT_TRUE(reply.text) << reply.trouble;
  EXPECT_FALSE(reply.text->empty());
  auto config = served.judge(folder);
  config.model = "another";
  expect_error([&] { Judge(config).ask({"", "x"}); }, {"status 404"});
}

}  // namespace
}  // namespace vlsi
