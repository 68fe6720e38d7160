#define PCRE2_CODE_UNIT_WIDTH 8
#include "eval/scoring/pattern.h"

#include <pcre2.h>

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

struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};
using MatchData = std::unique_ptr<pcre2_match_data, FreeMatch>;

}  // namespace

struct Pattern::Compiled {
  pcre2_code* code;
  ~Compiled() { pcre2_code_free(code); }

  MatchData matches() const { return MatchData(pcre2_match_data_create_from_pattern(code, nullptr)); }

  /// The first match from `start` on.
  std::optional<Match> match(std::string_view text, size_t start, pcre2_match_data* data) const {
    const auto run = [&](uint32_t options) {
      return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                         PCRE2_NO_UTF_CHECK | options, data, nullptr);
    };
    int count = run(0);
    // The interpreter keeps its place on the heap, not on a small stack.
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) count = run(PCRE2_NO_JIT);
    if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
    if (count < 0) fail("matching a pattern failed with PCRE2's code ", count);
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data);
    Match found{text.substr(ends[0], ends[1] - ends[0]), {}};
    if (count > 1 && ends[2] != PCRE2_UNSET) found.group = text.substr(ends[2], ends[3] - ends[2]);
    return found;
  }
};

Pattern::Pattern(const std::string& pattern) {
  const std::string translated = with_python_spaces(pattern);
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &place, nullptr);
  if (code == nullptr) fail("pattern '", pattern, "': PCRE2's error ", error, " at ", place);
  compiled_.reset(new Compiled{code});
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
}

Pattern::~Pattern() = default;

std::optional<Pattern::Match> Pattern::search(std::string_view text) const {
  return compiled_->match(text, 0, compiled_->matches().get());
}

std::vector<Pattern::Match> Pattern::find_all(std::string_view text) const {
  std::vector<Match> found;
  const auto data = compiled_->matches();
  for (size_t start = 0; start <= text.size();) {
    const auto match = compiled_->match(text, start, data.get());
    if (!match) break;
    found.push_back(*match);
    const size_t end = static_cast<size_t>(match->whole.data() - text.data()) + match->whole.size();
    start = match->whole.empty() ? end + 1 : end;
  }
  return found;
}

}  // namespace vlsi
