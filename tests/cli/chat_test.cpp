// A conversation in the terminal, and through a pipe.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>

#include <optional>

#include "data/conversation.h"
#include "picture/codecs.h"
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

/// The program with a text as its input.
class ChatProgram {
 public:
  ChatProgram(const std::string& input, const Arguments& arguments, const Surroundings& surroundings = {})
      : folder_({{"input", input}}) {
    const int before = ::dup(STDIN_FILENO), file = ::open((folder_ / "input").c_str(), O_RDONLY);
    ::dup2(file, STDIN_FILENO);
    program_.emplace(arguments, surroundings);
    ::dup2(before, STDIN_FILENO);
    ::close(before);
    ::close(file);
  }
  Program& operator*() { return *program_; }

 private:
  Folder folder_;
  std::optional<Program> program_;
};

Result chat_with(const std::string& input, const Arguments& more = {}) {
  return (*ChatProgram(input, with({"chat", "--model", model("student"), "--greedy", "--max-new-tokens", "4"}, more)))
      .wait();
}

std::string answer_to(const std::string& question) {
  return vlsi_program(
             {"generate", "--model", model("student"), "--greedy", "--prompt", question, "--max-new-tokens", "4"})
      .out;
}

TEST(ChatThroughAPipe, AnswersEveryLineAsGenerateDoes) {
  const auto first = answer_to("what color?");
  const auto result = chat_with("what color?\n\n/reset\nwhat color?\n/reset\nwhat shape?");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, first + first + answer_to("what shape?"));
}

TEST(ChatThroughAPipe, TakesLinesThatEndInACarriageReturn) {
  const auto result = chat_with("what color?\r\n/reset\r\n\r\nwhat shape?\r\n/quit\r\n");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, answer_to("what color?") + answer_to("what shape?"));
}

TEST(ChatThroughAPipe, KeepsItsHistoryAndSavesIt) {
  const Folder folder;
  const auto image = fs::path(VLSI_TEST_DATA) / "images/rgb_8.png";
  const std::string saved = folder / "saved.json";
  const auto result = chat_with("/system be brief\n/image " + image.string() + "\nwhat <image> color?\nwhy?\n/save " +
                                saved + "\n/quit\nnot asked");
  EXPECT_EQ(result.status, 0) << result.err;
  const auto messages = read_json(saved)[0]["messages"];
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[0]["content"][0]["text"], "be brief");
  EXPECT_EQ(messages[1]["content"][0]["image"], image.string());
  // What was saved is read as it was said.
  const auto scored =
      vlsi_program({"score", "--model", model("student"), "--data", saved, "--out", folder / "scores.jsonl"});
  EXPECT_EQ(scored.status, 0) << scored.err;
  EXPECT_GT(Json::parse(content_of(folder / "scores.jsonl"))["num_image_tokens"], 0);
  const auto generated = vlsi_program({"generate", "--model", model("student"), "--greedy", "--system", "be brief",
                                       "--image", image, "--prompt", "what <image> color?", "--max-new-tokens", "4"});
  EXPECT_TRUE(result.out.starts_with(generated.out)) << result.out << generated.out;
}

TEST(ChatThroughAPipe, SavesTheMarkerForPicturesAsText) {
  const Folder folder;
  const std::string saved = folder / "saved.json";
  EXPECT_EQ(chat_with("what does <image> mean, <image>?\n/save " + saved).status, 0);
  const auto conversation = parse_conversation(read_json(saved)[0], {}, saved, "", /*answers_required=*/false);
  const auto& contents = conversation.turns[0].contents;
  ASSERT_EQ(contents.size(), 1U);
  EXPECT_EQ(contents[0].text, "what does <image> mean, <image>?");
}

TEST(ChatThroughAPipe, GoesOnBehindWhatItCannotDo) {
  const auto answer = answer_to("what?");
  const auto result = chat_with("/image /no/picture.png\n/nonsense\n/save\n/save /tmp/x\nwhat?\n");
  EXPECT_EQ(result.status, 1) << "something went wrong";
  EXPECT_EQ(result.out, answer);
  for (const char* part : {"no/picture.png", "'/nonsense' is no command", "no answer yet"})
    EXPECT_NE(result.err.find(part), std::string::npos) << part << " in " << result.err;
}

TEST(ChatThroughAPipe, ForgetsAPictureThatItsModelRefuses) {
  const Folder folder;
  write_file(folder / "thin.jpg", encode_jpeg({2, 3000, std::vector<uint8_t>(2 * 3000 * 3)}));
  const auto result = chat_with("/image " + (folder / "thin.jpg").string() + "\nwhat?\nwhat?\n");
  EXPECT_EQ(result.status, 1) << "something went wrong";
  EXPECT_EQ(result.out, answer_to("what?"));
  EXPECT_NE(result.err.find("3000x2 pixels"), std::string::npos) << result.err;
}

TEST(ChatThroughAPipe, ExplainsItsCommands) {
  EXPECT_NE(chat_with("/help\n").out.find("/image PATH"), std::string::npos);
}

Arguments endless_chat() { return {"chat", "--model", endless_model(), "--max-new-tokens", "100000"}; }

TEST(ChatThroughAPipe, SaysThatASignalLeftLinesUnanswered) {
  std::string lines;  // more than are answered before the signal comes
  for (int i = 0; i < 1000; ++i) lines += "what?\n/reset\n";
  for (const int signal : {SIGTERM, SIGHUP}) {
    const Folder folder;
    const std::string out = folder / "out";
    ChatProgram chat(lines, endless_chat(), {.out_file = out});
    (*chat).wait_until([&] { return fs::exists(out) && fs::file_size(out) > 0; });
    (*chat).signal(signal);
    const auto result = (*chat).wait();
    EXPECT_EQ(result.status, 1) << signal << result.err;
    EXPECT_NE(result.err.find("vlsi: stopped by a signal before the end of the input"), std::string::npos)
        << result.err;
  }
}

/// The program on a terminal of its own.
class Terminal {
 public:
  explicit Terminal(const Arguments& arguments) {
    const std::string program = std::string(VLSI_BUILD_DIR) + "/vlsi";
    process_ = ::forkpty(&side_, nullptr, nullptr, nullptr);
    if (process_ != 0) return;
    std::vector<char*> argv{const_cast<char*>(program.c_str())};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::setenv("TERM", "xterm", 1);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  ~Terminal() {
    if (side_ >= 0) ::close(side_);
    if (process_ > 0) ::kill(process_, SIGKILL), ::waitpid(process_, nullptr, 0);
  }

  void type(const std::string& text) const {
    EXPECT_EQ(::write(side_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  /// What is shown until `text` has come, within a minute.
  std::string shown_until(const std::string& text) {
    char bytes[4096];
    for (const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
         seen_.find(text) == seen_.npos && std::chrono::steady_clock::now() < end;) {
      pollfd polled{side_, POLLIN, 0};
      if (::poll(&polled, 1, 100) <= 0) continue;
      const ssize_t count = ::read(side_, bytes, sizeof(bytes));
      if (count <= 0) break;
      seen_.append(bytes, static_cast<size_t>(count));
    }
    const auto at = seen_.find(text);
    EXPECT_NE(at, seen_.npos) << "no " << text << " in: " << seen_;
    const auto shown = seen_.substr(0, at == seen_.npos ? at : at + text.size());
    seen_.erase(0, shown.size());
    return shown;
  }
  void hang_up() {
    ::close(side_);
    side_ = -1;
  }
  int status() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t process_ = -1;
  int side_ = -1;
  std::string seen_;
};

TEST(ChatOnATerminal, EndsWhenTheTerminalGoesAway) {
  for (const bool in_an_answer : {false, true}) {
    Terminal terminal(endless_chat());
    terminal.shown_until("> ");
    if (in_an_answer) {
      terminal.type("what?\r");
      terminal.shown_until("what?");
    }
    terminal.hang_up();
    EXPECT_EQ(terminal.status(), 0) << in_an_answer;
  }
}

}  // namespace
}  // namespace vlsi::cli_test
