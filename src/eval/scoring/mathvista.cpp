#include "eval/scoring/mathvista.h"

#include <algorithm>
#include <limits>

#include "eval/scoring/edit_distance.h"
#include "eval/scoring/option_matcher.h"
#include "eval/scoring/pattern.h"
#include "text/python/python_number.h"

namespace vlsi {
namespace {

/// A choice, by its letter or as the one that is nearest to the text; the shortest for an empty text.
std::optional<Text> choice_of(TextView extraction, const std::vector<Text>& choices) {
  static const Pattern in_brackets(R"(\(([a-zA-Z])\))");
  Text text(strip(extraction));
  const std::string utf8 = to_utf8(text);
  if (const auto match = in_brackets.search(utf8)) text = Text(1, upper_letter(to_text(match->group)[0]));
  if (text.size() == 1 && text[0] >= U'A' && text[0] - U'A' < choices.size()) return choices[text[0] - U'A'];
  std::optional<Text> nearest;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const auto& choice : choices) {
    const int64_t distance = edit_distance(text, choice);
    if (distance >= least) continue;
    least = distance;
    nearest = choice;
  }
  return nearest;
}

std::optional<Text> rounded_number(double value, const MathVistaQuestion& question, MathVistaRule rule) {
  if (!question.precision) return rule == MathVistaRule::kOfficial ? std::nullopt : rounded_text(value);
  if (rule == MathVistaRule::kLmms && !question.precision_is_whole) return std::nullopt;
  return float_text(round_to(value, static_cast<int64_t>(*question.precision)));
}

}  // namespace

std::optional<Text> mathvista_extract(TextView reply, const MathVistaQuestion& question) {
  if (reply.empty()) return Text();
  if (question.multiple_choice &&
      std::find(question.choices.begin(), question.choices.end(), reply) != question.choices.end()) {
    return Text(reply);
  }
  if (question.answer_type == U"integer") {
    if (auto whole = parse_int(reply)) return whole;
  }
  if (question.answer_type == U"float") {
    if (const auto number = parse_float(reply)) return float_text(*number);
  }
  return std::nullopt;
}

std::optional<Text> mathvista_normal(const std::optional<Text>& extraction, const MathVistaQuestion& question,
                                     MathVistaRule rule) {
  constexpr TextView kNone = U"None";  // str(None)
  if (question.multiple_choice) return choice_of(extraction ? TextView(*extraction) : kNone, question.choices);
  if (question.answer_type == U"integer" || question.answer_type == U"float") {
    const auto number = extraction ? parse_float(*extraction) : std::nullopt;
    if (!number) return std::nullopt;
    return question.answer_type == U"integer" ? whole_text(*number) : rounded_number(*number, question, rule);
  }
  if (question.answer_type == U"list") return extraction ? *extraction : Text(kNone);
  return rule == MathVistaRule::kLmms ? extraction : std::nullopt;  // (the authors' script stops here)
}

bool mathvista_equal(const std::optional<Text>& normal, TextView answer, MathVistaRule rule) {
  if (rule == MathVistaRule::kOfficial) return normal && *normal == answer;
  return strip(normal ? TextView(*normal) : TextView(U"None")) == strip(answer);
}

MathVistaCheck mathvista_check(TextView reply, const MathVistaQuestion& question) {
  MathVistaCheck check;
  if (question.multiple_choice) {
    check.letter = match_option(reply, make_options(question.choices), Matcher::k2026June);
    check.right = check.letter && *check.letter == question.answer_letter;
  } else if (question.answer_type == U"integer") {
    check.whole = parse_int(reply);
    check.right = check.whole && check.whole == parse_int(question.answer);
  } else if (question.answer_type == U"float") {
    check.number = parse_float(reply);
    const auto answer = parse_float(question.answer);
    check.right = check.number && answer && *check.number == *answer;
  } else {
    check.is_none = true;
    check.right = question.answer == U"None";
  }
  return check;
}

}  // namespace vlsi
