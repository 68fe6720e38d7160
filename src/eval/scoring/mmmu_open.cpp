#include "eval/scoring/mmmu_open.h"

#include <algorithm>
#include <optional>

#include "eval/scoring/pattern.h"
#include "text/python/python_number.h"

namespace vlsi {
namespace {

/// A text or a number that an answer may be.
struct Candidate {
  Text text;
  std::optional<double> number;
};

/// normalize_str.
void add_normalized(TextView raw, std::vector<Candidate>& candidates) {
  const TextView text = strip(raw);
  if (const auto number = parse_float(without(text, [](char32_t c) { return c == U','; }))) {
    candidates.push_back({{}, round_to(*number, 2)});
    return;
  }
  const Text words = lower(text);
  if (words.size() == 1) {
    candidates.push_back({U" " + words, {}});
    candidates.push_back({words + U" ", {}});
  } else {
    candidates.push_back({words, {}});
  }
}

/// get_key_subresponses: of every line the shortest tail after a word that announces an answer. (The original also
/// splits before capital letters, of which its lower-cased text has none.)
std::vector<Text> key_answers(TextView reply) {
  const Text words = lower(strip(strip(reply), U"."));
  std::vector<TextView> announcers{U"could be ",  U"so ",    U"is ",     U"thus ",
                                   U"therefore ", U"final ", U"answer ", U"result "};
  const auto lines = split(words, U"\n");
  std::vector<Text> keys;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i + 1 == lines.size()) announcers.push_back(U"=");
    TextView shortest;
    for (const auto announcer : announcers) {
      if (!contains(lines[i], announcer)) continue;
      const TextView tail = strip(after_last(lines[i], announcer));
      if (shortest.empty() || tail.size() < shortest.size()) shortest = tail;
    }
    const bool trivial = shortest.size() == 1 && TextView(U":,.!?;'").find(shortest[0]) != TextView::npos;
    if (!shortest.empty() && !trivial) keys.emplace_back(shortest);
  }
  if (keys.empty()) keys.push_back(words);
  return keys;
}

/// extract_numbers.
void add_numbers(TextView text, std::vector<Text>& numbers) {
  static const Pattern with_commas(R"(-?\b\d{1,3}(?:,\d{3})+\b)");
  static const Pattern scientific(R"(-?\d+(?:\.\d+)?[eE][+-]?\d+)");
  static const Pattern simple(R"(-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d]))");
  const std::string utf8 = to_utf8(text);
  for (const Pattern* pattern : {&with_commas, &scientific, &simple}) {
    for (const auto& match : pattern->find_all(utf8)) numbers.push_back(to_text(match.whole));
  }
}

std::vector<Candidate> normalized(const std::vector<Text>& texts) {
  std::vector<Candidate> candidates;
  for (const auto& text : texts) add_normalized(text, candidates);
  return candidates;
}

std::vector<Candidate> parse_open_reply(TextView reply) {
  std::vector<Text> answers = key_answers(reply);
  const size_t num_keys = answers.size();
  for (size_t i = 0; i < num_keys; ++i) add_numbers(Text(answers[i]), answers);
  return normalized(answers);
}

}  // namespace

bool mmmu_open_right(TextView reply, const std::vector<Text>& golds) {
  const auto expected = normalized(golds);
  const auto given = parse_open_reply(reply);
  return std::any_of(given.begin(), given.end(), [&](const Candidate& one) {
    return std::any_of(expected.begin(), expected.end(), [&](const Candidate& gold) {
      if (one.number) return gold.number && *one.number == *gold.number;
      return !gold.number && contains(one.text, gold.text);
    });
  });
}

bool mmmu_open_right_by_characters(TextView reply, const std::vector<Text>& golds) {
  const auto expected = normalized(golds);
  const bool empty_gold = std::any_of(expected.begin(), expected.end(),
                                      [](const Candidate& gold) { return !gold.number && gold.text.empty(); });
  const auto given = parse_open_reply(reply);
  return empty_gold && (given.front().number || !given.front().text.empty());
}

}  // namespace vlsi
