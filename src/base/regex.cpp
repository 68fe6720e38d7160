#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <utility>

#include "base/error.h"

namespace vlsi {
namespace {

std::string pcre2_message(int error) {
  unsigned char buffer[256] = {};
  pcre2_get_error_message(error, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

void Regex::Free::operator()(pcre2_code* code) const { pcre2_code_free(code); }
void Regex::Matcher::Free::operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }

Regex::Regex(const std::string& pattern, std::string what) : what_(std::move(what)) {
  int error = 0;
  size_t offset = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error,
                            &offset, nullptr));
  if (!code_) fail(what_, " is no regular expression: ", pcre2_message(error));
  // Without a just-in-time compiler pcre2_match interprets: slower, the same matches.
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
}

bool Regex::can_match_empty() const {
  uint32_t can = 0;
  pcre2_pattern_info(code_.get(), PCRE2_INFO_MATCHEMPTY, &can);
  return can != 0;
}

Regex::Matcher::Matcher(const Regex& regex)
    : regex_(regex), data_(pcre2_match_data_create_from_pattern(regex.code_.get(), nullptr)) {}

std::optional<Regex::Match> Regex::Matcher::find(std::string_view text, size_t start, Where where) {
  const auto match = [&](uint32_t options) {
    if (where != Where::kAnywhere) options |= PCRE2_ANCHORED;
    if (where == Where::kWholeText) options |= PCRE2_ENDANCHORED;
    return pcre2_match(regex_.code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                       PCRE2_NO_UTF_CHECK | options, data_.get(), nullptr);
  };
  int count = match(0);
  // The interpreter keeps its place on the heap, not on a small stack.
  if (count == PCRE2_ERROR_JIT_STACKLIMIT) count = match(PCRE2_NO_JIT);
  if (count == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (count < 0) fail(regex_.what_, " gives up on a text of ", text.size(), " bytes: ", pcre2_message(count));
  const size_t* ends = pcre2_get_ovector_pointer(data_.get());
  Match found{text.substr(ends[0], ends[1] - ends[0]), {}};
  if (count > 1 && ends[2] != PCRE2_UNSET) found.group = text.substr(ends[2], ends[3] - ends[2]);
  return found;
}

}  // namespace vlsi
