// The text of an answer as its tokens come, up to a stop text.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace vlsi {

class AnswerText {
 public:
  /// Both must outlive it.
  AnswerText(const Tokenizer& tokenizer, const std::vector<std::string>& stop) : stream_(tokenizer), stop_(stop) {}

  /// The text that is certain to be the answer's now: whole code points, and nothing that a stop text may begin with.
  std::string push(int32_t token);
  /// What is left at the end.
  std::string finish();

  /// Whether a stop text has come; nothing behind it belongs to the answer.
  bool is_stopped() const { return is_stopped_; }
  /// All that push and finish have given.
  const std::string& text() const { return text_; }

 private:
  std::string give(std::string certain);

  TextStream stream_;
  const std::vector<std::string>& stop_;
  std::string held_, text_;
  bool is_stopped_ = false;
};

}  // namespace vlsi
