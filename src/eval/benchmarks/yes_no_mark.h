// The mark of an answer to a question of yes or no.
#pragma once

#include "eval/item.h"
#include "eval/scoring/yes_no.h"

namespace vlsi {

/// Whether what `kRule` reads in the answer is the first gold; neither yes nor no is wrong and unparsed.
template <YesNo (*kRule)(TextView)>
Mark mark_yes_no(const Item& item, TextView answer, const Profile&) {
  const YesNo said = kRule(answer);
  if (said == YesNo::kNeither) return {"", 0, false};
  const TextView word = said == YesNo::kYes ? U"yes" : U"no";
  return right_or_wrong(item.golds[0] == word, word);
}

}  // namespace vlsi
