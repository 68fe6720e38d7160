#include "base/progress.h"

#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "base/log.h"

namespace vlsi {

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  char text[48];
  if (whole >= 3600) {
    std::snprintf(text, sizeof(text), "%ld h %02ld min", static_cast<long>(whole / 3600),
                  static_cast<long>(whole / 60 % 60));
  } else if (whole >= 60) {
    std::snprintf(text, sizeof(text), "%ld min %02ld s", static_cast<long>(whole / 60), static_cast<long>(whole % 60));
  } else {
    std::snprintf(text, sizeof(text), "%ld s", static_cast<long>(whole));
  }
  return text;
}

Progress::Progress(std::string job, std::string unit, int64_t total, int64_t first)
    : job_(std::move(job)),
      unit_(std::move(unit)),
      total_(total),
      first_(first),
      is_terminal_(::isatty(STDERR_FILENO) != 0 && log_shows(LogLevel::kInfo)),
      started_(Clock::now()),
      shown_(started_) {}

Progress::~Progress() {
  if (is_terminal_ && shown_ != started_) std::fputs("\n", stderr);
}

void Progress::update(int64_t done, const std::string& note) {
  const auto now = Clock::now();
  const auto interval = is_terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000);
  if (now - shown_ >= interval || (done == total_ && shown_ != started_)) show(done, note, now);
}

void Progress::show(int64_t done, const std::string& note, Clock::time_point now) {
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
  std::string text = concat(job_, ": ", done, " of ", total_, ' ', unit_);
  if (!note.empty()) text += ", " + note;
  if (done < total_ && rate > 0) text += ", " + duration_text(static_cast<double>(total_ - done) / rate) + " left";
  if (done == total_) text += ", took " + duration_text(seconds);
  if (is_terminal_) {
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
  } else {
    log_info(text);
  }
}

}  // namespace vlsi
