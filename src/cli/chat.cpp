// vlsi chat: a conversation in the terminal.
#include <fcntl.h>
#include <unistd.h>

#include <iostream>

#include "base/log.h"
#include "base/quoted.h"
#include "base/utf8.h"
#include "cli/chat_session.h"
#include "cli/commands.h"
#include "cli/decoding_options.h"
#include "cli/engine_options.h"
#include "cli/line_reader.h"
#include "cli/options.h"

namespace vlsi {
namespace {

struct ChatOptions {
  ModelOptions model;
  DecodingOptions decoding;
  EngineConfig engine{.max_sequences = 8};
  std::string system;
};

constexpr std::string_view kChatHelp =
    "/image PATH   a picture for the next question; may be given several times\n"
    "/system TEXT  a system turn; without a text: the template's own\n"
    "/reset        forget the conversation\n"
    "/save FILE    write the conversation as a data file for vlsi finetune\n"
    "/help         this\n"
    "/quit         end, as Ctrl-D does; Ctrl-C stops an answer\n";

/// A model's text that moves no cursor and starts no escape: control characters but line ends and tabs are replaced.
std::string shown(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto step = next_code_point(text);
    const char32_t c = step.code_point;
    const bool is_control = !step.whole || (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0);
    if (is_control) {
      append_code_point(0xFFFD, result);
    } else {
      result += text.substr(0, step.num_bytes);
    }
    text.remove_prefix(step.num_bytes);
  }
  return result;
}

class Chat {
 public:
  Chat(ChatSession& session, LineReader& lines) : session_(session), lines_(lines) {}

  int run() {
    if (lines_.is_terminal()) std::cout << "/help lists commands, /quit ends\n";
    while (auto line = lines_.read()) {
      if (line->find_first_not_of(" \t") == line->npos) continue;
      try {
        if (line->front() != '/') {
          ask(*line);
        } else if (!obey(*line)) {
          has_quit_ = true;
          break;
        }
      } catch (const Error& error) {
        complain(error.what());
      } catch (const std::runtime_error& error) {
        complain(error.what());
      }
    }
    if (!lines_.is_terminal() && leaves_lines()) complain("stopped by a signal before the end of the input");
    if (LineReader::is_hung_up()) leave_terminal();
    log_drafts(counts_);
    return has_failed_ && !lines_.is_terminal() ? 1 : 0;
  }

 private:
  /// Whether a signal came in an answer, or before the end of the input, where more lines may have been.
  bool leaves_lines() const { return LineReader::is_hung_up() && !has_quit_ && (is_cut_ || !LineReader::is_at_end()); }

  void complain(const std::string& message) {
    has_failed_ = true;
    std::cerr << "vlsi: " << printable(message) << std::endl;
  }

  void ask(const std::string& question) {
    LineReader::take_interrupt();
    const bool is_terminal = lines_.is_terminal();
    const auto reply = session_.ask(question, [&](std::string_view text) {
      if (!text.empty()) std::cout << (is_terminal ? shown(text) : std::string(text)) << std::flush;
      return !LineReader::is_hung_up() && !LineReader::take_interrupt();
    });
    std::cout << std::endl;
    counts_ += reply.counts;
    is_cut_ = reply.finish == Finish::kCancelled && LineReader::is_hung_up();
    if (!is_terminal) return;
    if (reply.finish == Finish::kLength) std::cout << "(cut at --max-new-tokens)" << std::endl;
    if (reply.finish == Finish::kCancelled) std::cout << "(stopped)" << std::endl;
  }

  /// False to end.
  bool obey(const std::string& line) {
    const size_t space = line.find_first_of(" \t");
    const auto word = line.substr(0, space);
    std::string rest = space == line.npos ? ""
                                          : line.substr(line.find_first_not_of(" \t", space) == line.npos
                                                            ? line.size()
                                                            : line.find_first_not_of(" \t", space));
    rest.erase(rest.find_last_not_of(" \t") + 1);
    if (word == "/quit") return false;
    if (word == "/help") {
      std::cout << kChatHelp << std::flush;
    } else if (word == "/image" && !rest.empty()) {
      session_.add_picture(rest);
    } else if (word == "/system") {
      session_.set_system(rest);
    } else if (word == "/reset") {
      session_.reset();
    } else if (word == "/save" && !rest.empty()) {
      session_.save(rest);
    } else {
      fail(excerpt_of(line), " is no command; /help lists them");
    }
    return true;
  }

  static std::string excerpt_of(const std::string& line) { return "'" + printable(line.substr(0, 60)) + "'"; }

  /// Nothing that is still written goes to a terminal that is not there.
  static void leave_terminal() {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0) return;
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
    std::cout.clear();
  }

  ChatSession& session_;
  LineReader& lines_;
  DraftCounts counts_;
  bool has_failed_ = false, has_quit_ = false;
  bool is_cut_ = false;  // the last answer, by a hang-up
};

int run(const ChatOptions& options) {
  const auto& draft = options.decoding.draft;
  const auto speaker = load(options.model, SpecialText::kPlain, draft.files(options.model.model));
  auto decoding = options.decoding.over(speaker);
  if (!options.decoding.max_new_tokens) decoding.max_new_tokens = usual_longest_answer(options.model.model);
  auto config = options.engine;
  expect_places_for_beams(decoding, config);
  config.draft = draft.of(speaker, decoding);
  Engine engine(*speaker.model, speaker.processor->tokenizer(), speaker.pictures.get(), config);
  ChatSession session(speaker, engine, decoding);
  session.set_system(options.system);
  LineReader lines;
  return Chat(session, lines).run();
}

}  // namespace

Action add_chat(CLI::App& command) {
  auto options = std::make_shared<ChatOptions>();
  add_model_options(command, options->model);
  command.add_option("--system", options->system, "a system turn instead of the template's own");
  add_decoding_options(command, options->decoding, /*own_is_greedy=*/false, "generation_config.json's, else 1024");
  add_verbalizer_options(command, options->decoding.draft);
  add_engine_options(command, options->engine);
  command.footer([] { return "In the conversation:\n" + std::string(kChatHelp) + "\n"; });
  return [options] { return run(*options); };
}

}  // namespace vlsi
