#include "base/interrupt.h"

#include <atomic>
#include <csignal>

namespace vlsi {
namespace {

std::atomic<bool> wish = false;

void on_signal(int signal) {
  if (wish.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() { return wish; }

void request_interrupt() { wish = true; }

}  // namespace vlsi
