#include "cli/line_reader.h"

#include <histedit.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace vlsi {
namespace {

std::atomic<bool> was_interrupted = false, hung_up = false;

void on_chat_signal(int signal) { (signal == SIGINT ? was_interrupted : hung_up) = true; }

/// Reading does not go on behind a signal.
void catch_signal(int signal) {
  struct sigaction action {};
  action.sa_handler = on_chat_signal;
  ::sigaction(signal, &action, nullptr);
}

char* chat_prompt(EditLine*) {
  static char text[] = "> ";
  return text;
}

}  // namespace

struct LineReader::Editor {
  Editor() : line(::el_init("vlsi", stdin, stdout, stderr)), history(::history_init()) {
    HistEvent event;
    ::history(history, &event, H_SETSIZE, 1000);
    ::history(history, &event, H_SETUNIQUE, 1);
    ::el_set(line, EL_PROMPT, chat_prompt);
    ::el_set(line, EL_EDITOR, "emacs");
    ::el_set(line, EL_HIST, ::history, history);
    ::el_set(line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  }
  ~Editor() {
    ::el_end(line);
    ::history_end(history);
  }

  EditLine* line;
  History* history;
};

LineReader::LineReader() {
  for (const int signal : {SIGINT, SIGHUP, SIGTERM}) catch_signal(signal);
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) return;
  // Bytes above 127 are letters in a locale of UTF-8 alone.
  const char* const locale = std::setlocale(LC_CTYPE, "");
  if (locale == nullptr || std::strcmp(locale, "C") == 0) std::setlocale(LC_CTYPE, "C.UTF-8");
  editor_ = std::make_unique<Editor>();
}

LineReader::~LineReader() = default;

bool LineReader::take_interrupt() { return was_interrupted.exchange(false); }

bool LineReader::is_hung_up() { return hung_up; }

bool LineReader::is_at_end() { return std::feof(stdin) != 0; }

std::optional<std::string> LineReader::read() {
  if (editor_) return edit();
  while (!hung_up) {
    std::string text;
    if (std::getline(std::cin, text)) {
      if (text.ends_with('\r')) text.pop_back();
      return text;
    }
    if (std::cin.eof() && !was_interrupted) return std::nullopt;
    std::cin.clear();  // a signal came
    was_interrupted = false;
  }
  return std::nullopt;
}

std::optional<std::string> LineReader::edit() {
  while (!hung_up) {
    int length = 0;
    errno = 0;
    const char* const typed = ::el_gets(editor_->line, &length);
    if (typed == nullptr || length <= 0) {
      if (length == 0 || errno != EINTR) return std::nullopt;
      if (was_interrupted.exchange(false)) std::cout << "^C (/quit ends)" << std::endl;
      ::el_reset(editor_->line);
      continue;
    }
    std::string text(typed, static_cast<size_t>(length));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    HistEvent event;
    if (!text.empty()) ::history(editor_->history, &event, H_ENTER, text.c_str());
    return text;
  }
  return std::nullopt;
}

}  // namespace vlsi
