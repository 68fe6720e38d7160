// The mark of an answer to a question of yes or no.
#pragma once

#include "base/error.h"
#include "base/quoted.h"
#include "eval/item.h"
#include "eval/judge/judge_rule.h"
#include "eval/scoring/yes_no.h"

namespace vlsi {

/// The right answer under one of the keys, in small letters. Error for one that is neither yes nor no.
inline Text yes_no_gold(const RowReader& row, RowReader::Keys keys) {
  const auto text = row.text(keys);
  const Text gold = lower(strip(strip(to_text(text)), U"."));
  if (gold == U"yes" || gold == U"no") return gold;
  fail(row.place(), ": the answer is ", quoted(text), ", expected Yes or No");
}

/// Whether what `kRule` reads in the answer is the first gold; neither yes nor no is wrong and unparsed.
template <YesNo (*kRule)(TextView)>
Mark mark_yes_no(const Item& item, TextView answer, const Profile&) {
  const YesNo said = kRule(answer);
  if (said == YesNo::kNeither) return {"", 0, false};
  const TextView word = said == YesNo::kYes ? U"yes" : U"no";
  return right_or_wrong(item.golds[0] == word, word);
}

/// VLMEvalKit's judge: asked what an answer that is neither means, five times at most, the temperature 0.5 higher each
/// time; its reply is read as an answer is.
inline Mark mark_yes_no_or_judge(const Item& item, TextView answer, const Profile& profile, JudgedAnswer& judge) {
  const auto alone = mark_yes_no<yes_no_by_words>(item, answer, profile);
  constexpr int64_t kTries = 5;
  for (int64_t i = 0; i < kTries && !alone.parsed; ++i) {
    const auto reply = judge.ask({item.question, to_utf8(item.golds[0]), to_utf8(answer), ""},
                                 {.temperature = 0.5 * static_cast<double>(i), .attempt = i});
    if (!reply) return not_scored();
    const auto mark = mark_yes_no<yes_no_by_words>(item, *reply, profile);
    if (mark.parsed) return mark;
  }
  return alone;
}

inline const JudgeRule kYesNoJudge{"yes-no", "", /*is_needed=*/false, mark_yes_no_or_judge};

}  // namespace vlsi
