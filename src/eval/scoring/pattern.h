// A regular expression of Python's `re` over Unicode text, compiled once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vlsi {

class Pattern {
 public:
  /// A pattern that means the same to PCRE2 (with UTF and UCP) as to Python, but for \s, which is taken as Python's;
  /// it may not stand in a class.
  explicit Pattern(const std::string& pattern);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  struct Match {
    std::string_view whole, group;  // `group`: the first, empty where there is none
  };
  /// re.search; `text` is UTF-8.
  std::optional<Match> search(std::string_view text) const;
  /// re.finditer.
  std::vector<Match> find_all(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace vlsi
