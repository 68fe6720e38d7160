#include "cli/line_reader.h"

#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <cwchar>
#include <iostream>
#include <tuple>

namespace vlsi {
namespace {

std::atomic<bool> was_interrupted = false, hung_up = false;

int wake_reader = -1, wake_writer = -1;  // a pipe: whoever waits for a key wakes for a signal, whichever thread gets it

void on_chat_signal(int signal) {
  (signal == SIGINT ? was_interrupted : hung_up) = true;
  const int kept = errno;
  if (wake_writer >= 0) [[maybe_unused]]
    const auto written = ::write(wake_writer, "!", 1);
  errno = kept;
}

/// Reading does not go on behind a signal.
void catch_signal(int signal) {
  struct sigaction action {};
  action.sa_handler = on_chat_signal;
  ::sigaction(signal, &action, nullptr);
}

/// Whether there is a byte to read; false, with errno EINTR, for a signal.
bool wait_for_key() {
  pollfd waits[]{{STDIN_FILENO, POLLIN, 0}, {wake_reader, POLLIN, 0}};
  while (::poll(waits, 2, -1) < 0 && errno == EINTR) {
  }
  if (waits[1].revents == 0) return true;
  char drained[64];
  while (::read(wake_reader, drained, sizeof(drained)) > 0) {
  }
  if (!was_interrupted && !hung_up) return wait_for_key();
  errno = EINTR;
  return false;
}

/// The next character for libedit: 1, 0 at the end of the input, -1 for a signal or an error.
int read_key(EditLine*, wchar_t* key) {
  std::mbstate_t state{};
  for (;;) {
    char byte = 0;
    if (!wait_for_key()) return -1;
    const ssize_t count = ::read(STDIN_FILENO, &byte, 1);
    if (count <= 0) return static_cast<int>(count);
    const size_t used = std::mbrtowc(key, &byte, 1, &state);
    if (used == static_cast<size_t>(-2)) continue;  // more bytes belong to it
    if (used == static_cast<size_t>(-1)) {
      state = {};
      continue;  // no character of the locale
    }
    return 1;
  }
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
    ::el_set(line, EL_GETCFN, read_key);
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
  int wake[2];
  if (wake_reader < 0 && ::pipe2(wake, O_CLOEXEC | O_NONBLOCK) == 0)
    std::tie(wake_reader, wake_writer) = std::tie(wake[0], wake[1]);
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

std::optional<std::string> LineReader::read() {
  if (editor_) return edit();
  while (!hung_up) {
    std::string text;
    if (std::getline(std::cin, text)) return text;
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
