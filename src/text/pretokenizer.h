// Cuts text into words by the regular expression of a tokenizer.json, as the `tokenizers` library does.
#pragma once

#include <string>
#include <string_view>

#include "base/regex.h"

namespace vlsi {

/// GPT-2's pattern, which a ByteLevel pre-tokenizer with use_regex applies by itself.
extern const char kGpt2Pattern[];

/// A regular expression with the meaning that Oniguruma (Unicode 16) gives it, written for PCRE2 (Unicode 14 or newer):
/// \p{L}, \p{N} and \s are spelled out where the two differ. What could mean something else (\w, \d, \b, other
/// properties, classes within classes, anchors) is an Error that begins with `place`.
std::string translate_pattern(std::string_view pattern, const std::string& place);

/// A compiled pattern. May be used from several threads at once.
class PreTokenizer {
 public:
  /// Error, naming `place`, if the pattern is no regular expression or matches the empty text.
  PreTokenizer(const std::string& pattern, const std::string& place);

  /// Gives the words of texts one by one: the matches, and what lies between them. Together they are the text. For one
  /// thread; borrows the pre-tokenizer.
  class Words {
   public:
    explicit Words(const PreTokenizer& pre_tokenizer) : matcher_(pre_tokenizer.regex_) {}

    /// Begins anew with `text`, valid UTF-8, which must live until the last word was taken.
    void start(std::string_view text);
    /// The next word; empty at the end.
    std::string_view next();

   private:
    Regex::Matcher matcher_;
    std::string_view text_;
    size_t word_begin_ = 0;   // of the next word
    size_t match_begin_ = 0;  // of the match that is not given out yet
    size_t match_end_ = 0;
  };

 private:
  Regex regex_;
};

}  // namespace vlsi
