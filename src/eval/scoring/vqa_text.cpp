#include "eval/scoring/vqa_text.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <unordered_map>

namespace vlsi {
namespace {

// What the evaluation makes of words without their apostrophe. (The original's entries with capitals match no
// lower-cased word.)
constexpr TextView kContractions =
    U"'ow'sat='ow's'at 'ows'at='ow's'at aint=ain't arent=aren't cant=can't couldn'tve=couldn't've "
    U"couldnt=couldn't couldnt've=couldn't've couldve=could've didnt=didn't doesnt=doesn't dont=don't "
    U"hadn'tve=hadn't've hadnt=hadn't hadnt've=hadn't've hasnt=hasn't havent=haven't he'dve=he'd've hed=he'd "
    U"hed've=he'd've hes=he's howd=how'd howll=how'll hows=how's isnt=isn't it'dve=it'd've itd=it'd "
    U"itd've=it'd've itll=it'll maam=ma'am mightn'tve=mightn't've mightnt=mightn't mightnt've=mightn't've "
    U"mightve=might've mustnt=mustn't mustve=must've neednt=needn't notve=not've oclock=o'clock "
    U"oughtnt=oughtn't ow's'at='ow's'at shant=shan't she'dve=she'd've shed've=she'd've "
    U"shouldn'tve=shouldn't've shouldnt=shouldn't shouldnt've=shouldn't've shouldve=should've "
    U"somebody'd=somebodyd somebody'dve=somebody'd've somebodyd've=somebody'd've somebodyll=somebody'll "
    U"somebodys=somebody's someone'dve=someone'd've someoned=someone'd someoned've=someone'd've "
    U"someonell=someone'll someones=someone's something'dve=something'd've somethingd=something'd "
    U"somethingd've=something'd've somethingll=something'll thats=that's there'dve=there'd've thered=there'd "
    U"thered've=there'd've therere=there're theres=there's they'dve=they'd've theyd=they'd theyd've=they'd've "
    U"theyll=they'll theyre=they're theyve=they've twas='twas wasnt=wasn't we'dve=we'd've wed've=we'd've "
    U"werent=weren't weve=we've whatll=what'll whatre=what're whats=what's whatve=what've whens=when's "
    U"whered=where'd wheres=where's whereve=where've who'dve=who'd've whod=who'd whod've=who'd've wholl=who'll "
    U"whos=who's whove=who've whyll=why'll whyre=why're whys=why's wont=won't wouldn'tve=wouldn't've "
    U"wouldnt=wouldn't wouldnt've=wouldn't've wouldve=would've y'all'dve=y'all'd've y'alld've=y'all'd've "
    U"y'allll=y'all'll yall=y'all yall'd've=y'all'd've yall'll=y'all'll you'dve=you'd've youd=you'd "
    U"youd've=you'd've youll=you'll youre=you're youve=you've ";

const std::unordered_map<Text, Text>& contractions() {
  static const auto table = [] {
    std::unordered_map<Text, Text> words;
    for (const auto entry : split(kContractions)) {
      const size_t sign = entry.find(U'=');
      words.emplace(entry.substr(0, sign), entry.substr(sign + 1));
    }
    return words;
  }();
  return table;
}

constexpr TextView kNumberWords[][2] = {{U"none", U"0"},  {U"zero", U"0"},  {U"one", U"1"},  {U"two", U"2"},
                                        {U"three", U"3"}, {U"four", U"4"},  {U"five", U"5"}, {U"six", U"6"},
                                        {U"seven", U"7"}, {U"eight", U"8"}, {U"nine", U"9"}, {U"ten", U"10"}};

Text with_words_replaced(TextView text) {
  const Text words = lower(text);
  Text result;
  for (const TextView word : split(words)) {
    if (word == U"a" || word == U"an" || word == U"the") continue;
    if (!result.empty()) result += U' ';
    const auto* number = std::find_if(std::begin(kNumberWords), std::end(kNumberWords),
                                      [&](const auto& entry) { return entry[0] == word; });
    const Text changed(number == std::end(kNumberWords) ? word : (*number)[1]);
    const auto contraction = contractions().find(changed);
    result += contraction == contractions().end() ? changed : contraction->second;
  }
  return result;
}

bool has_comma_between_digits(TextView text) {
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == U',' && decimal_value(text[i - 1]) >= 0 && decimal_value(text[i + 1]) >= 0) return true;
  }
  return false;
}

Text without_points(TextView text, PointRule rule) {
  constexpr int kMost = 32;  // the original passes a flag where the number of replacements belongs
  Text kept;
  int removed = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool after_digit = i > 0 && decimal_value(text[i - 1]) >= 0;
    const bool before_digit = i + 1 < text.size() && decimal_value(text[i + 1]) >= 0;
    const bool goes = !before_digit && !(after_digit && rule == PointRule::kAwayFromDigits);
    if (text[i] == U'.' && goes && removed < kMost) {
      ++removed;
    } else {
      kept += text[i];
    }
  }
  return kept;
}

/// For every gold a third of how many of the others equal the answer, at most 1.
std::vector<double> shares(const Text& answer, const std::vector<Text>& golds) {
  const auto count = std::count(golds.begin(), golds.end(), answer);
  std::vector<double> all;
  for (const auto& gold : golds) all.push_back(std::min(1.0, static_cast<double>(count - (gold == answer)) / 3));
  return all;
}

}  // namespace

Text process_punctuation(TextView text, PointRule rule) {
  const bool comma = has_comma_between_digits(text);
  Text result(text);
  for (const char32_t mark : TextView(U";/[]\"{}()=+\\_-><@`,?!")) {
    if (!contains(result, TextView(&mark, 1))) continue;
    const bool goes = comma || contains(text, Text{mark, U' '}) || contains(text, Text{U' ', mark});
    result = replace(result, TextView(&mark, 1), goes ? TextView() : TextView(U" "));
  }
  return without_points(result, rule);
}

Text vqa_answer(TextView text) {
  Text spaced(text);
  std::replace_if(
      spaced.begin(), spaced.end(), [](char32_t c) { return c == U'\n' || c == U'\t'; }, U' ');
  return with_words_replaced(process_punctuation(strip(spaced), PointRule::kAwayFromDigits));
}

Text evalai_answer(TextView text) {
  Text words = without(lower(text), [](char32_t c) { return c == U',' || c == U'?'; });
  words = strip(replace(words, U"'s", U" 's"));
  std::replace_if(
      words.begin(), words.end(), [](char32_t c) { return c == U'\n' || c == U'\t'; }, U' ');
  return with_words_replaced(process_punctuation(strip(words), PointRule::kNotBeforeDigits));
}

double vqa_accuracy(const Text& answer, const std::vector<Text>& golds) {
  if (golds.empty()) return 0;
  long double sum = 0;  // holds the sum of ten thirds exactly
  for (const double share : shares(answer, golds)) sum += share;
  return static_cast<double>(sum / static_cast<long double>(golds.size()));
}

double vqa_accuracy_numpy(const Text& answer, const std::vector<Text>& golds) {
  if (golds.empty()) return 0;
  const auto values = shares(answer, golds);
  constexpr size_t kLanes = 8;  // of NumPy's sum, which it adds in pairs
  double sum = 0;
  size_t i = 0;
  if (values.size() >= kLanes) {
    std::array<double, kLanes> lanes{};
    for (; i + kLanes <= values.size(); i += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += values[i + lane];
    }
    sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  }
  for (; i < values.size(); ++i) sum += values[i];
  return sum / static_cast<double>(values.size());
}

}  // namespace vlsi
