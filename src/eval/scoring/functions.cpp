#include "eval/scoring/functions.h"

#include <algorithm>
#include <iterator>

#include "eval/scoring/edit_distance.h"
#include "eval/scoring/judge_reply.h"
#include "eval/scoring/letters.h"
#include "eval/scoring/mathvista.h"
#include "eval/scoring/mmmu_choice.h"
#include "eval/scoring/mmmu_open.h"
#include "eval/scoring/number_match.h"
#include "eval/scoring/option_matcher.h"
#include "eval/scoring/pope_sums.h"
#include "eval/scoring/ranked_letter.h"
#include "eval/scoring/text_found.h"
#include "eval/scoring/vqa_text.h"
#include "eval/scoring/yes_no.h"
#include "text/python/python_literal.h"
#include "text/python/python_number.h"

namespace vlsi {
namespace {

/// str() of a JSON value.
Text python_text(const Json& value) {
  if (value.is_string()) return to_text(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? U"True" : U"False";
  if (value.is_null()) return U"None";
  return value.is_number_float() ? float_text(value.get<double>()) : to_text(value.dump());
}

/// The arguments of one call.
class Arguments {
 public:
  Arguments(const Json& args, const std::string& place) : args_(args), place_(place) {}

  const Json& json(const char* key) const {
    if (!args_.is_object() || !args_.contains(key)) fail(place_, ": argument '", key, "' is missing");
    return args_[key];
  }
  bool has(const char* key) const { return args_.contains(key) && !args_[key].is_null(); }
  Text text(const char* key) const { return python_text(json(key)); }
  Text text_or(const char* key, TextView otherwise) const { return has(key) ? text(key) : Text(otherwise); }
  bool flag(const char* key) const { return has(key) && json(key) == Json(true); }

  /// A list, or one text.
  std::vector<Text> texts(const char* key) const {
    std::vector<Text> all;
    if (!json(key).is_array()) return {text(key)};
    for (const auto& one : json(key)) all.push_back(python_text(one));
    return all;
  }

  /// Of an object or a list.
  Options options(const char* key) const {
    if (json(key).is_array()) return make_options(texts(key));
    Options options;
    for (const auto& [label, value] : json(key).items()) options.push_back({to_text(label), python_text(value)});
    return options;
  }

 private:
  const Json& args_;
  const std::string& place_;
};

Json json(const std::optional<Text>& text) { return text ? Json(to_utf8(*text)) : Json(nullptr); }
Json json(const std::optional<Text>& text, const char* otherwise) { return text ? json(text) : Json(otherwise); }
Json json(YesNo said, const char* yes, const char* no, const char* neither) {
  return said == YesNo::kYes ? yes : said == YesNo::kNo ? no : neither;
}
double score(bool right) { return right ? 1.0 : 0.0; }

template <Matcher kMatcher>
Json can_infer(const Arguments& a) {
  return json(match_option(a.text("prediction"), a.options("choices"), kMatcher));
}

template <MmmuRule kRule>
Json parse_choice(const Arguments& a) {
  return json(mmmu_letter(a.text("prediction"), a.options("choices"), kRule), "__RANDOM__");
}

Json lmms_letter(const Arguments& a) { return json(leading_letter(a.text("prediction")), ""); }
Json relaxed(const Arguments& a) { return relaxed_right(a.text("gold"), a.text("prediction")); }

Json pope_aggregate(const Arguments& a) {
  std::vector<std::pair<bool, bool>> answers;
  const auto golds = a.texts("gold"), replies = a.texts("predictions");
  for (size_t i = 0; i < std::min(golds.size(), replies.size()); ++i) {
    answers.emplace_back(golds[i] != U"no", yes_no_of_pope(replies[i]) == YesNo::kYes);
  }
  const auto sums = pope_sums(answers);
  return {{"acc", sums.accuracy()},
          {"precision", sums.precision()},
          {"recall", sums.recall()},
          {"f1", sums.f1()},
          {"yes_ratio", sums.yes_ratio()}};
}

MathVistaQuestion question_of(const Arguments& a) {
  MathVistaQuestion question;
  question.multiple_choice = a.text_or("question_type", U"free_form") == U"multi_choice";
  question.answer_type = a.text_or("answer_type", U"float");
  if (a.has("choices")) question.choices = a.texts("choices");
  if (a.has("precision")) {
    question.precision = a.json("precision").get<double>();
    question.precision_is_whole = !a.json("precision").is_number_float() && !a.flag("precision_is_float");
  }
  return question;
}

template <MathVistaRule kRule>
Json mathvista_normalize(const Arguments& a) {
  const auto extraction = a.has("extraction") ? std::optional(a.text("extraction")) : std::nullopt;
  const auto normal = mathvista_normal(extraction, question_of(a), kRule);
  return {{"normalized", json(normal)}, {"correct", mathvista_equal(normal, a.text("gold"), kRule)}};
}

Json mathvista_extraction(const Arguments& a) {
  return json(mathvista_extract(a.text("response"), question_of(a)), "__JUDGE__");
}

/// The line that the arguments leave out is a float question with the answer 1.2.
Json mathvista_post_check(const Arguments& a) {
  MathVistaQuestion question = question_of(a);
  question.answer = a.text_or("answer", U"1.2");
  question.answer_letter = a.text_or("answer_option", U"");
  if (a.has("choices") && a.json("choices").is_string()) {
    question.choices.clear();
    const auto list = parse_python_list(a.json("choices").get_ref<const std::string&>());
    for (const auto& choice : list.value_or(Json::array())) question.choices.push_back(python_text(choice));
  }
  const bool prefetch = a.flag("prefetch");
  const auto check = mathvista_check(a.text(prefetch ? "prediction" : "res"), question);
  if (prefetch && question.multiple_choice) return check.letter ? json(check.letter) : Json(false);
  if (!prefetch || !check.right) return check.right;
  if (check.whole) return Json::parse(to_utf8(*check.whole));
  return check.number ? Json(*check.number) : Json("None");
}

Json call_round(const Arguments& a) {
  const auto number = parse_float(a.text("x"));
  return number ? json(float_text(round_to(*number, a.json("nd").get<int64_t>()))) : Json(nullptr);
}

struct Function {
  std::string_view name;
  Json (*call)(const Arguments&);
};

constexpr Function kFunctions[] = {
    {"vlmevalkit.can_infer@2024", can_infer<Matcher::k2024>},
    {"vlmevalkit.can_infer@2025-08", can_infer<Matcher::k2025August>},
    {"vlmevalkit.can_infer@2026-06", can_infer<Matcher::k2026June>},
    {"vlmevalkit.YOrN_Extraction",
     [](const Arguments& a) { return json(yes_no_by_words(a.text("prediction")), "Yes", "No", "Unknown"); }},
    {"vlmevalkit.process_punctuation",
     [](const Arguments& a) { return json(process_punctuation(a.text("text"), PointRule::kAwayFromDigits)); }},
    {"vlmevalkit.relaxed_correctness", relaxed},
    {"vlmevalkit.anls", [](const Arguments& a) -> Json { return anls(a.texts("gold"), a.text("prediction")); }},
    {"vlmevalkit.mathvista.post_check", mathvista_post_check},
    {"vlmevalkit.MMVet_auxeval.score", [](const Arguments& a) -> Json { return mmvet_score(a.texts("replies")); }},
    {"vlmevalkit.vqa_score",
     [](const Arguments& a) -> Json {
       std::vector<Text> golds;
       for (const auto& gold : a.texts("gold")) golds.push_back(vqa_answer(gold));
       return vqa_accuracy_numpy(vqa_answer(a.text("prediction")), golds);
     }},
    {"vlmevalkit.ocrbench",
     [](const Arguments& a) -> Json {
       return ocr_text_found(a.text("prediction"), a.texts("gold"), a.flag("formula"), false);
     }},
    {"lmms.chartqa.relaxed_correctness", relaxed},
    {"lmms.anls",
     [](const Arguments& a) -> Json {
       return {{"anls", anls(a.texts("gold"), a.text("prediction"))}};
     }},
    {"lmms.pope.score",
     [](const Arguments& a) -> Json {
       const auto said = yes_no_exactly(a.text("prediction"));
       return score(said != YesNo::kNeither && said == yes_no_exactly(a.text("gold")));
     }},
    {"lmms.mme.parse_pred_ans",
     [](const Arguments& a) { return json(yes_no_of_mme_lmms(a.text("prediction")), "yes", "no", "other"); }},
    {"lmms.mmmu.parse_multi_choice_response", parse_choice<MmmuRule::kLmms>},
    {"lmms.qbench.parse_multi_choice_response", parse_choice<MmmuRule::kLmms>},
    {"lmms.mmmu.open",
     [](const Arguments& a) -> Json {
       return {{"acc", score(mmmu_open_right_by_characters(a.text("prediction"), a.texts("gold")))}};
     }},
    {"lmms.mmmu.open@0.7.3",
     [](const Arguments& a) -> Json {
       return {{"acc", score(mmmu_open_right(a.text("prediction"), a.texts("gold")))}};
     }},
    {"lmms.cv_bench._extract_answer_letter", lmms_letter},
    {"lmms.blink._extract_answer_letter", lmms_letter},
    {"lmms.blink._extract_answer_letter@0.7.3",
     [](const Arguments& a) {
       return json(blink_letter(a.text("prediction"), a.has("num_options") ? a.json("num_options").get<size_t>() : 0),
                   "");
     }},
    {"lmms.extract_mcq_answer",
     [](const Arguments& a) {
       Text letters = a.has("choices") ? Text() : Text(U"ABCDEFGH");
       if (letters.empty()) {
         for (const auto& letter : a.texts("choices")) letters += letter;
       }
       return json(ranked_letter(a.text("prediction"), letters), "");
     }},
    {"lmms.seedbench_2_plus.score",
     [](const Arguments& a) -> Json { return score(first_character_is(a.text("prediction"), a.text("gold"))); }},
    {"lmms.ai2d.exact_match",
     [](const Arguments& a) -> Json { return score(ai2d_right(a.text("prediction"), a.text("gold"))); }},
    {"lmms.mmbench.can_infer",
     [](const Arguments& a) { return json(mmbench_letter(a.text("prediction"), a.options("choices"))); }},
    {"lmms.mathvista.normalize", mathvista_normalize<MathVistaRule::kLmms>},
    {"lmms.mathvista.extract_answer", mathvista_extraction},
    {"lmms.llava_wilder.parse_score",
     [](const Arguments& a) -> Json {
       const auto [first, second] = wilder_scores(a.text("review"));
       return {first, second};
     }},
    {"lmms.textvqa",
     [](const Arguments& a) -> Json {
       std::vector<Text> golds;
       for (const auto& gold : a.texts("gold")) golds.push_back(evalai_answer(gold));
       return vqa_accuracy(evalai_answer(a.text("prediction")), golds);
     }},
    {"lmms.ocrbench",
     [](const Arguments& a) -> Json {
       return score(ocr_text_found(a.text("prediction"), a.texts("gold"), a.flag("formula"), true));
     }},
    {"lmms.realworldqa",
     [](const Arguments& a) -> Json { return score(realworld_right(a.text("prediction"), a.text("gold"))); }},
    {"lmms.scienceqa",
     [](const Arguments& a) -> Json { return score(scienceqa_right(a.text("prediction"), a.text("gold"))); }},
    {"official.mmstar.credit",
     [](const Arguments& a) -> Json { return mmstar_right(a.text("prediction"), a.text("gold")) ? 1 : 0; }},
    {"official.mmmu.parse_multi_choice_response", parse_choice<MmmuRule::kOfficial>},
    {"official.mmmu.open",
     [](const Arguments& a) -> Json { return mmmu_open_right(a.text("prediction"), a.texts("gold")); }},
    {"official.mmmu_pro.parse_multi_choice_response",
     [](const Arguments& a) {
       return json(mmmu_pro_letter(a.text("prediction"), a.options("choices")), "__RANDOM__");
     }},
    {"official.mathvista.normalize", mathvista_normalize<MathVistaRule::kOfficial>},
    {"official.mathvista.extract_answer", mathvista_extraction},
    {"official.pope.answer",
     [](const Arguments& a) { return json(yes_no_of_pope(a.text("prediction")), "yes", "no", "yes"); }},
    {"official.pope.aggregate", pope_aggregate},
    {"official.mme.parse_pred_ans",
     [](const Arguments& a) { return json(yes_no_of_mme(a.text("prediction")), "yes", "no", "other"); }},
    {"official.cvbench", [](const Arguments& a) { return json(after_answer_is(a.text("prediction"))); }},
    {"vlsi.chartqa",
     [](const Arguments& a) -> Json { return score(relaxed_right_swapped(a.texts("gold"), a.text("prediction"))); }},
    {"vlsi.qbench.convert_to_choice",
     [](const Arguments& a) -> Json { return convert_to_choice(a.text("prediction"), a.texts("candidates").size()); }},
    {"vlsi.cvbench.credit", [](const Arguments& a) -> Json { return contains(a.text("gold"), a.text("prediction")); }},
    {"vlsi.blink", [](const Arguments& a) { return json(bracketed_or_whole(a.text("prediction"))); }},
    {"python.str(round(x,nd))", call_round},
};

}  // namespace

std::optional<Json> call_scoring_function(std::string_view name, const Json& args, const std::string& place) {
  name = name.substr(0, name.find(" ("));
  const auto* function =
      std::find_if(std::begin(kFunctions), std::end(kFunctions), [&](const Function& one) { return one.name == name; });
  if (function == std::end(kFunctions)) return std::nullopt;
  try {
    return function->call(Arguments(args, place));
  } catch (const Json::exception&) {
    fail(place, ": an argument of ", name, " is of another type than the function takes");
  }
}

}  // namespace vlsi
