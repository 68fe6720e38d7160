#include "eval/scoring/ranked_letter.h"

#include <algorithm>
#include <vector>

#include "text/jinja/characters.h"

namespace vlsi {
namespace {

constexpr TextView kPhrases[] = {U"the answer is",
                                 U"answer is",
                                 U"the correct answer is",
                                 U"correct answer is",
                                 U"the best answer is",
                                 U"best answer is",
                                 U"the correct option is",
                                 U"correct option is",
                                 U"the best option is",
                                 U"best option is",
                                 U"the choice is",
                                 U"choice is",
                                 U"the correct choice is",
                                 U"correct choice is",
                                 U"i choose",
                                 U"i select",
                                 U"i pick",
                                 U"my answer is",
                                 U"my choice is",
                                 U"옵션",
                                 U"정답은",
                                 U"답은",
                                 U"답:",
                                 U"答案是",
                                 U"答案为",
                                 U"选",
                                 U"答えは"};

/// A form that stands around a letter, and how much it says that the letter is the answer.
struct RankedForm {
  TextView before, after;
  int rank;
};
constexpr RankedForm kForms[] = {{U"(", U")", 6}, {U"", U".", 5}, {U"", U":", 4}, {U"", U")", 3}, {U"", U" ", 2}};
constexpr int kStartRank = 10, kEndRank = 9, kPhraseRank = 7;

/// The letter of the highest rank, then of the latest place, then seen first.
class Best {
 public:
  void offer(char32_t letter, int rank, size_t place) {
    if (letter_ != 0 && (rank < rank_ || (rank == rank_ && place <= place_))) return;
    letter_ = letter;
    rank_ = rank;
    place_ = place;
  }
  std::optional<Text> letter() const { return letter_ == 0 ? std::nullopt : std::optional(Text(1, letter_)); }

 private:
  char32_t letter_ = 0;
  int rank_ = 0;
  size_t place_ = 0;
};

void offer_forms(TextView text, TextView letters, Best& best) {
  for (const auto& form : kForms) {
    for (const char32_t letter : letters) {
      const size_t place = text.rfind(Text(form.before).append(1, letter).append(form.after));
      if (place != text.npos) best.offer(letter, form.rank, place);
    }
  }
}

void offer_after_phrases(TextView text, TextView letters, Best& best) {
  const Text words = lower(text);
  for (const auto phrase : kPhrases) {
    const size_t place = words.find(phrase);
    if (place == words.npos) continue;
    for (const char32_t letter : letters) {
      const size_t found = text.find(letter, place + phrase.size());
      if (found != text.npos) best.offer(letter, kPhraseRank, found);
    }
  }
}

void offer_ends(TextView text, TextView letters, Best& best) {
  const TextView inner = strip(text);
  if (inner.empty()) return;
  const bool alone = inner.size() == 1;
  const auto is_option = [&](char32_t c) { return letters.find(c) != letters.npos; };
  if (is_option(inner.front()) && (alone || !is_letter(inner[1]))) best.offer(inner.front(), kStartRank, 0);
  if (is_option(inner.back()) && (alone || !is_letter(inner[inner.size() - 2]))) {
    best.offer(inner.back(), kEndRank, text.size() - 1);
  }
}

}  // namespace

std::optional<Text> ranked_letter(TextView reply, TextView letters) {
  TextView stripped = strip(reply);
  for (const char32_t c : TextView(U",.!?;:'\"")) stripped = strip(stripped, TextView(&c, 1));
  const Text text = Text(U" ").append(stripped).append(U" ");
  Best best;
  offer_forms(text, letters, best);
  offer_after_phrases(text, letters, best);
  offer_ends(text, letters, best);
  if (best.letter()) return best.letter();
  for (const char32_t letter : letters) {
    const size_t place = text.rfind(letter);
    if (place != text.npos) best.offer(letter, 0, place);
  }
  return best.letter();
}

std::optional<Text> mmbench_letter(TextView reply, const Options& options) {
  constexpr TextView kMmbenchLetters = U"ABCDE";
  if (!contains(reply, U"Failed to obtain answer via API")) {
    const auto words = split(reply);
    const auto said = [&](TextView word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    const auto only_letter = [&](TextView before, TextView after) -> std::optional<Text> {
      std::optional<Text> only;
      for (const char32_t letter : kMmbenchLetters) {
        if (!said(Text(before).append(1, letter).append(after))) continue;
        if (only) return std::nullopt;
        only = Text(1, letter);
      }
      return only;
    };
    // An A among more than three words may be an article.
    const bool maybe_article = said(U"A") && words.size() > 3;
    if (const auto letter = only_letter(U"", U""); letter && !maybe_article) return letter;
    constexpr TextView kAround[][2] = {{U"", U"."},  {U"", U","},  {U"", U":"},   {U"", U")"},
                                       {U"", U")."}, {U"(", U")"}, {U"(", U")."}, {U":", U""},
                                       {U":", U","}, {U":", U"."}, {U":", U")"},  {U":", U")."}};
    for (const auto& [before, after] : kAround) {
      if (auto letter = only_letter(before, after)) return letter;
    }
  }
  const Text words = lower(reply);
  const Option* only = nullptr;
  for (const auto& option : options) {
    if (!contains(words, lower(option.text))) continue;
    if (only != nullptr) return std::nullopt;
    only = &option;
  }
  return only == nullptr ? std::nullopt : std::optional(only->label);
}

}  // namespace vlsi
