#include "eval/scoring/letters.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "eval/scoring/pattern.h"
#include "text/jinja/characters.h"

namespace vlsi {
namespace {

constexpr TextView kAlphabet = U"ABCDEFGHIJKLMNOPQRSTUVWXYZ", kAsciiPunctuation = U"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Whether a case-blind class of the first `num_options` letters matches, as Python has it.
bool matches_letter(char32_t c, size_t num_options) {
  if (!is_letter_of_any_case(c)) return false;
  const char32_t letter = c == 0x17F ? U'S' : c == 0x212A ? U'K' : c == 0x130 || c == 0x131 ? U'I' : upper_letter(c);
  return letter - U'A' < num_options;
}

size_t skip_while(TextView text, size_t place, auto&& skipped) {
  while (place < text.size() && skipped(text[place])) ++place;
  return place;
}

std::optional<Text> leading_letter_of(TextView text, size_t num_options) {
  const size_t place = skip_while(text, 0, [](char32_t c) { return c == U'(' || is_space(c); });
  if (place == text.size() || !matches_letter(text[place], num_options)) return std::nullopt;
  return Text(1, upper_letter(text[place]));
}

/// A letter in brackets or not, and at most punctuation behind it, is all of the line.
std::optional<Text> letter_alone(TextView line, size_t num_options) {
  size_t place = line.starts_with(U'(') ? 1 : 0;
  if (place >= line.size() || !matches_letter(line[place], num_options)) return std::nullopt;
  const char32_t letter = upper_letter(line[place]);
  place = skip_while(line, place + 1,
                     [](char32_t c) { return TextView(U".:,)").find(c) != TextView::npos || is_space(c); });
  return place == line.size() ? std::optional(Text(1, letter)) : std::nullopt;
}

/// "answer is X" with X among the first 1, 2, … 26 letters.
std::vector<Pattern> statements() {
  const std::string is = "[i\\x{130}\\x{131}]s";  // (case-blind, Python takes these for an i, and PCRE2 does not)
  std::vector<Pattern> patterns;
  for (char last = 'A'; last <= 'Z'; ++last) {
    const std::string letters = concat("A-", last, last >= 'I' ? "\\x{130}\\x{131}" : "");
    patterns.emplace_back(
        concat("(?i)answers?(?:\\s+", is, ")?\\s*[:\\-]?\\s*\\(?([", letters, "])\\)?(?![A-Za-z\\x{130}\\x{131}])"));
  }
  return patterns;
}

std::optional<Text> last_stated(TextView text, size_t num_options) {
  static const auto patterns = statements();
  const std::string utf8 = to_utf8(text);
  const auto found = patterns[num_options - 1].find_all(utf8);
  if (found.empty()) return std::nullopt;
  return Text(1, upper_letter(to_text(found.back().group)[0]));
}

std::optional<Text> last_in_brackets(TextView text, size_t num_options) {
  for (size_t i = text.size(); i-- > 2;) {
    const char32_t c = text[i - 1];
    if (text[i] == U')' && text[i - 2] == U'(' && c >= U'A' && c - U'A' < num_options) return Text(1, c);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Text> leading_letter(TextView reply) { return leading_letter_of(strip(reply), kAlphabet.size()); }

std::optional<Text> blink_letter(TextView reply, size_t num_options) {
  if (num_options == 0 || num_options > kAlphabet.size()) num_options = kAlphabet.size();
  const TextView text = strip(reply);
  const TextView first_line = strip(split(text, U"\n")[0]);
  constexpr size_t kShort = 4;
  if (first_line.size() <= kShort) {
    if (auto letter = letter_alone(first_line, num_options)) return letter;
  }
  if (auto letter = last_stated(text, num_options)) return letter;
  if (auto letter = last_in_brackets(text, num_options)) return letter;
  return leading_letter_of(text, num_options);
}

std::optional<Text> blink_option(TextView reply, size_t num_options) {
  constexpr size_t kMost = 5;
  if (reply.size() == 1 && reply[0] >= U'A' && reply[0] < option_letter(kMost)) return Text(U"(").append(reply) + U")";
  const auto in_brackets = [](size_t i) { return Text{U'(', option_letter(i), U')'}; };
  for (size_t i = 0; i < kMost; ++i) {
    if (reply == in_brackets(i)) return Text(reply);
  }
  const auto said_in = [&](TextView text) {
    const auto words = split(text);
    std::vector<Text> said;
    for (size_t i = 0; i < std::min(num_options, kMost); ++i) {
      if (std::find(words.begin(), words.end(), in_brackets(i)) != words.end()) said.push_back(in_brackets(i));
    }
    return said;
  };
  const auto said = said_in(reply), said_last = said_in(after_last(reply, U"\n\n"));
  if (said_last.size() == 1) return said_last[0];
  return said.size() == 1 ? std::optional(said[0]) : std::nullopt;
}

Text bracketed_or_whole(TextView reply) {
  static const Pattern pattern(R"(\((\w)\))");
  const std::string utf8 = to_utf8(reply);
  const auto match = pattern.search(utf8);
  return match ? to_text(match->group) : Text(reply);
}

Text after_answer_is(TextView reply) {
  const Text words = lower(strip(reply));
  TextView text = words;
  for (const TextView keyword : {TextView(U"answer is"), TextView(U"answer is:"), TextView(U"answer:")}) {
    text = after_last(text, keyword);
  }
  text = strip_right(strip_left(strip_right(strip(text), U"."), U"("), U")");
  return Text(text.substr(0, 1));
}

bool first_character_is(TextView reply, TextView gold) {
  const TextView text = strip(reply);
  const Text first = lower(text.substr(0, 1)), expected = lower(gold);
  return strip(first) == strip(expected);
}

bool mmstar_right(TextView reply, TextView gold) {
  const Text words = replace(strip(lower(reply)), U"\n", U" "), letter = replace(strip(lower(gold)), U"\n", U" ");
  const auto follows = [&](TextView start) {
    return words.starts_with(start) && words.size() > start.size() && words.substr(start.size(), 1) == letter;
  };
  return follows(U"") || follows(U"(") || follows(U"option ") || follows(U"the answer is ");
}

bool ai2d_right(TextView reply, TextView gold) {
  Text answer(reply);
  const size_t place = skip_while(reply, 0, [](char32_t c) { return is_space(c); });
  if (place + 1 < reply.size() && reply[place] >= U'A' && reply[place] <= U'Z' && reply[place + 1] == U'.') {
    answer = Text(1, reply[place]);
  }
  const auto plain = [](TextView text) {
    return lower(without(strip_right(text, TextView(U"\0", 1)),
                         [](char32_t c) { return kAsciiPunctuation.find(c) != kAsciiPunctuation.npos; }));
  };
  return plain(answer) == plain(gold);
}

int64_t convert_to_choice(TextView reply, size_t num_options) {
  constexpr TextView kOptions = U"ABCDE";
  static const Pattern pattern("The answer is ([A-Z]).");
  TextView letter;
  Text stated;
  if (reply.size() == 1 || (reply.size() >= 2 && kOptions.find(reply[0]) != kOptions.npos && contains(reply, U"."))) {
    letter = reply.substr(0, 1);
  } else {
    const std::string utf8 = to_utf8(reply);
    const auto found = pattern.find_all(utf8);
    if (found.size() == 1) stated = to_text(found[0].group);
    letter = stated;
  }
  const size_t index = letter.empty() ? kOptions.npos : kOptions.find(letter);
  return index < std::min(num_options, kOptions.size()) ? static_cast<int64_t>(index) : -1;
}

std::optional<Text> first_capital(TextView reply) {
  const size_t place = reply.find_first_of(kAlphabet);
  return place == reply.npos ? std::nullopt : std::optional(Text(1, reply[place]));
}

bool scienceqa_right(TextView reply, TextView gold) {
  const TextView text = strip(reply);
  const Text expected = lower(strip(gold));
  if (lower(text) == expected) return true;
  return text.size() >= 2 && is_upper(text[0]) && text[1] == U'.' && lower(text.substr(0, 1)) == expected;
}

}  // namespace vlsi
