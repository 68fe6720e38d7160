// A regular expression of Python's `re` over Unicode text, compiled once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"

namespace vlsi {

class Pattern {
 public:
  /// A pattern that means the same to PCRE2 (with UTF and UCP) as to Python, but for \s, which is taken as Python's;
  /// it may not stand in a class.
  explicit Pattern(const std::string& pattern);

  using Match = Regex::Match;
  /// re.search; `text` is UTF-8.
  std::optional<Match> search(std::string_view text) const { return regex_.find(text); }
  /// re.finditer.
  std::vector<Match> find_all(std::string_view text) const;

 private:
  Regex regex_;
};

}  // namespace vlsi
