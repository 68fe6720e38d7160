// Child processes: this program again, each with a log of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vlsi {

struct ChildCommand {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;  // variables over this process's
  std::filesystem::path log;                                     // what it writes is appended there
};

struct ChildEnd {
  int status = 0;  // the exit status, or 128 + the signal
  double seconds = 0;
  int64_t peak_memory_bytes = 0;
};

/// A running child. It is in a process group of its own, so that a terminal's Ctrl-C reaches it through this process
/// alone; if this process ends, in whatever way, it is asked to stop (SIGTERM). To be started by the process's first
/// thread.
class Child {
 public:
  /// Error when it cannot be started.
  explicit Child(const ChildCommand& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  /// Asks a running child to stop, and waits for it.
  ~Child();

  /// Its end, once it has come.
  std::optional<ChildEnd> poll();
  /// Asks it to stop: SIGINT, which a run answers by a checkpoint.
  void stop();

 private:
  pid_t process_ = -1;
  double started_ = 0;  // seconds of the steady clock
};

/// The program that this process runs, also where its file was replaced since.
std::filesystem::path own_program();

}  // namespace vlsi
