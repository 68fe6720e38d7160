#include "eval/scoring/pattern.h"

#include "base/error.h"

namespace vlsi {
namespace {

/// With \\s as Python means it; PCRE2's has other members.
std::string with_python_spaces(std::string_view pattern) {
  std::string result;
  while (!pattern.empty()) {
    if (pattern.starts_with("\\s")) {
      result +=
          "[\\x{9}-\\x{D}\\x{1C}-\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}"
          "\\x{3000}]";
      pattern.remove_prefix(2);
    } else {
      const size_t length = pattern.size() > 1 && pattern[0] == '\\' ? 2 : 1;
      result += pattern.substr(0, length);
      pattern.remove_prefix(length);
    }
  }
  return result;
}

}  // namespace

Pattern::Pattern(const std::string& pattern)
    : regex_(with_python_spaces(pattern), concat("the pattern '", pattern, "'")) {}

std::vector<Pattern::Match> Pattern::find_all(std::string_view text) const {
  std::vector<Match> found;
  Regex::Matcher matcher(regex_);
  for (size_t start = 0; start <= text.size();) {
    const auto match = matcher.find(text, start);
    if (!match) break;
    found.push_back(*match);
    const size_t end = static_cast<size_t>(match->whole.data() - text.data()) + match->whole.size();
    start = match->whole.empty() ? end + 1 : end;
  }
  return found;
}

}  // namespace vlsi
