// A conversation in the terminal: its turns, and the next question's pictures.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "generate/engine.h"
#include "run/speaker.h"

namespace vlsi {

class ChatSession {
 public:
  /// Both must outlive it.
  ChatSession(const Speaker& speaker, Engine& engine, Decoding decoding)
      : speaker_(speaker), engine_(engine), decoding_(std::move(decoding)) {}

  /// The picture goes in front of the next question. Error for a file that is no picture.
  void add_picture(const std::filesystem::path& path);
  /// The system turn of what is asked from now on; empty: the template's own.
  void set_system(const std::string& text);
  /// Forgets all turns, and the pictures of the next question.
  void reset();

  /// Asks and keeps question and answer, also an answer that `on_text` stopped. Error for a question that cannot be
  /// read or is too long; then its pictures are forgotten, and nothing else has changed.
  Reply ask(const std::string& question, const std::function<bool(std::string_view)>& on_text);

  /// Writes the conversation as a data file of one record. Error where there is no answer yet, or the file is there
  /// already.
  void save(const std::filesystem::path& path) const;

 private:
  const Speaker& speaker_;
  Engine& engine_;
  Decoding decoding_;
  std::string system_;
  std::vector<Turn> turns_;  // without the system's
  std::vector<Content> pictures_;
};

}  // namespace vlsi
