#include "eval/scoring/option_matcher.h"

#include <algorithm>

#include "eval/scoring/pattern.h"

namespace vlsi {
namespace {

constexpr TextView kFailure = U"Failed to obtain answer via API";
constexpr TextView kRefusals[] = {U"Sorry, I can't help with images of people yet.", U"I can't process this file.",
                                  U"I'm sorry, but without the image provided", U"Cannot determine the answer"};
constexpr TextView kPunctuation = U".()[],:;!*#{}";
constexpr size_t kLastWords = 4;

std::optional<Text> match_letter(TextView reply, const Options& options, Matcher matcher) {
  Text spaced(reply);
  for (char32_t& c : spaced) {
    if (kPunctuation.find(c) != kPunctuation.npos) c = U' ';
  }
  const auto words = split(spaced);
  const auto place = [&](TextView word) { return std::find(words.begin(), words.end(), word) - words.begin(); };
  const auto said = [&](TextView word) { return place(word) < std::ssize(words); };
  const Option* only = nullptr;
  size_t count = 0;
  for (const auto& option : options) {
    if (!said(option.label)) continue;
    only = &option;
    ++count;
  }
  if (count == 1) {
    if (matcher == Matcher::k2024 || static_cast<size_t>(place(only->label)) + kLastWords >= words.size()) {
      return only->label;
    }
  } else if (count == 0 && said(U"Z")) {
    return U"Z";
  }
  return std::nullopt;
}

std::optional<Text> match_phrase(TextView reply, const Options& options) {
  // (The letters beyond ASCII are those that a case-blind class of Python matches, and PCRE2's does not.)
  static const Pattern pattern("(?i)(?:correct\\s+)?answer\\s+[i\\x{130}\\x{131}]s\\s+\\**([ABCD])\\**");
  const std::string utf8 = to_utf8(reply);
  const auto match = pattern.search(utf8);
  if (!match) return std::nullopt;
  const Text letter(1, upper_letter(to_text(match->group)[0]));
  return find_option(options, letter) == nullptr ? std::nullopt : std::optional(letter);
}

std::optional<Text> match_text(TextView reply, const Options& options, Matcher matcher) {
  const Text words = lower(reply);
  size_t length = 0;
  for (const auto& option : options) length += option.text.size();
  if (matcher != Matcher::k2024 && words.size() > 2 * length) return std::nullopt;
  const Option* only = nullptr;
  for (const auto& option : options) {
    if (!contains(words, lower(option.text))) continue;
    if (only != nullptr) return std::nullopt;
    only = &option;
  }
  return only == nullptr ? std::nullopt : std::optional(only->label);
}

}  // namespace

std::optional<Text> match_option(TextView reply, const Options& options, Matcher matcher) {
  if (!contains(reply, kFailure)) {
    for (const auto refusal : kRefusals) {
      if (contains(reply, refusal)) return U"Z";
    }
    if (auto letter = match_letter(reply, options, matcher)) return letter;
    if (matcher == Matcher::k2026June) {
      if (auto letter = match_phrase(reply, options)) return letter;
    }
  }
  return match_text(reply, options, matcher);
}

}  // namespace vlsi
