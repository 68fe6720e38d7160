#include "eval/scoring/yes_no.h"

#include <algorithm>

#include "eval/scoring/vqa_text.h"

namespace vlsi {
namespace {

/// yes comes before no.
YesNo within(TextView text) {
  return contains(text, U"yes") ? YesNo::kYes : contains(text, U"no") ? YesNo::kNo : YesNo::kNeither;
}

}  // namespace

YesNo yes_no_by_words(TextView reply) {
  const Text text = process_punctuation(lower(reply), PointRule::kAwayFromDigits);
  const auto words = split(text);
  const auto said = [&](TextView word) { return std::find(words.begin(), words.end(), word) != words.end(); };
  const bool yes = said(U"yes"), no = said(U"no");
  return yes == no ? YesNo::kNeither : yes ? YesNo::kYes : YesNo::kNo;
}

YesNo yes_no_of_pope(TextView reply) {
  const Text sentence = without(split(reply, U".")[0], [](char32_t c) { return c == U','; });
  for (const auto word : split(sentence, U" ")) {
    if (word == U"No" || word == U"not" || word == U"no") return YesNo::kNo;
  }
  return YesNo::kYes;
}

YesNo yes_no_of_mme(TextView reply) {
  const Text words = lower(reply);
  return within(TextView(words).substr(0, 4));
}

YesNo yes_no_of_mme_lmms(TextView reply) {
  const Text words = lower(reply);
  const Text text = without(strip(words), [](char32_t c) { return c == U'.'; });
  if (text.size() == 1) return text[0] == U'y' ? YesNo::kYes : text[0] == U'n' ? YesNo::kNo : YesNo::kNeither;
  return within(TextView(text).substr(0, 4));
}

YesNo yes_no_exactly(TextView reply) {
  const Text words = lower(reply);
  const TextView text = strip(words);
  return text == U"yes" ? YesNo::kYes : text == U"no" ? YesNo::kNo : YesNo::kNeither;
}

YesNo yes_anywhere(TextView reply) { return contains(lower(reply), U"yes") ? YesNo::kYes : YesNo::kNo; }

}  // namespace vlsi
