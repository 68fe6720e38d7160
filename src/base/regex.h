// Regular expressions over UTF-8, by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct pcre2_real_code_8;  // PCRE2's, of patterns of bytes
struct pcre2_real_match_data_8;

namespace vlsi {

/// A compiled expression; \d, \w, \s and \b are Unicode's. May be used from several threads at once.
class Regex {
 public:
  /// Error "<what> is no regular expression: ..." with PCRE2's reason. `what` is the pattern and where it stands, and
  /// begins the errors of matching, too.
  Regex(const std::string& pattern, std::string what);

  bool can_match_empty() const;

  struct Match {
    std::string_view whole, group;  // parts of the text; `group`: the first, empty where there is none
  };
  enum class Where { kAnywhere, kAtStart, kWholeText };

  /// Finds matches one after the other in the same memory. For one thread; borrows the expression.
  class Matcher {
   public:
    explicit Matcher(const Regex& regex);
    /// The first match in `text`, valid UTF-8, from its byte `start` on. Error where PCRE2 gives up.
    std::optional<Match> find(std::string_view text, size_t start = 0, Where where = Where::kAnywhere);

   private:
    struct Free {
      void operator()(pcre2_real_match_data_8* data) const;
    };
    const Regex& regex_;
    std::unique_ptr<pcre2_real_match_data_8, Free> data_;
  };

  /// One match, as Matcher::find.
  std::optional<Match> find(std::string_view text, Where where = Where::kAnywhere) const {
    return Matcher(*this).find(text, 0, where);
  }

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::string what_;
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace vlsi
