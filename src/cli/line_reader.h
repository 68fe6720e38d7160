// Lines that a person types, or that a pipe brings; and Ctrl-C and hang-up as wishes.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace vlsi {

/// One at a time. On a terminal lines can be edited, and earlier ones called back; an interrupt at the prompt gives up
/// the line. Otherwise lines are read as they are, without a prompt.
class LineReader {
 public:
  LineReader();
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  bool is_terminal() const { return editor_ != nullptr; }
  /// The next line without its end, \n or \r\n; nothing at the end of the input, or when the terminal is gone.
  std::optional<std::string> read();

  /// Whether Ctrl-C was pressed since the last call.
  static bool take_interrupt();
  /// Whether the terminal went away, or the program is asked to end.
  static bool is_hung_up();
  /// Whether the end of the input has been read.
  static bool is_at_end();

 private:
  struct Editor;
  std::optional<std::string> edit();

  std::unique_ptr<Editor> editor_;  // null without a terminal
};

}  // namespace vlsi
