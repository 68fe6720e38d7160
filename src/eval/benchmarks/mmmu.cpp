// MMMU and MMMU-Pro: questions of college subjects, with options or open.
#include <algorithm>

#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/judge/judge_rule.h"
#include "eval/scoring/mmmu_choice.h"
#include "eval/scoring/mmmu_open.h"
#include "text/python/python_literal.h"

namespace vlsi::mmmu {
namespace {

struct Discipline {
  const char* name;
  std::vector<std::string_view> subjects;
};

const std::vector<Discipline>& disciplines() {
  static const std::vector<Discipline> all{
      {"Art and Design", {"Art", "Art_Theory", "Design", "Music"}},
      {"Business", {"Accounting", "Economics", "Finance", "Manage", "Marketing"}},
      {"Science", {"Biology", "Chemistry", "Geography", "Math", "Physics"}},
      {"Health and Medicine",
       {"Basic_Medical_Science", "Clinical_Medicine", "Diagnostics_and_Laboratory_Medicine", "Pharmacy",
        "Public_Health"}},
      {"Humanities and Social Science", {"History", "Literature", "Sociology", "Psychology"}},
      {"Tech and Engineering",
       {"Agriculture", "Architecture_and_Engineering", "Computer_Science", "Electronics", "Energy_and_Power",
        "Materials", "Mechanical_Engineering"}}};
  return all;
}

/// What stands between the first and the last underscore of "validation_Art_Theory_12".
std::string subject_of(const std::string& id) {
  const size_t first = id.find('_'), last = id.rfind('_');
  return first == id.npos || last <= first ? "" : id.substr(first + 1, last - first - 1);
}

/// Rows of Hugging Face (options is a list in a text) and the tables of VLMEvalKit. An open question has no options;
/// its answer may be a list of several.
Item read(const RowReader& row) {
  Item item;
  item.id = id_of(row, {"index", "id"});
  item.question = row.text_or({"question"}, "");
  item.hint = row.text_or({"hint"}, "");
  item.options = row.options({"options"});
  if (item.options.empty() || row.text_or({"question_type"}, "") == "open") {
    item.options.clear();
    for (const auto& gold : row.texts({"answer"})) item.golds.push_back(to_text(gold));
  } else {
    item.golds = gold_letter(row, {"answer"});
    item.gold_is_option = true;
  }
  item.tags = usual_tags(row);
  const auto subject = row.text_or({"subject"}, subject_of(row.text_or({"id"}, "")));
  if (!subject.empty()) item.tags.emplace_back("subject", subject);
  for (const auto& discipline : disciplines()) {
    const auto& subjects = discipline.subjects;
    if (std::find(subjects.begin(), subjects.end(), subject) != subjects.end()) {
      item.tags.emplace_back("discipline", discipline.name);
    }
  }
  return item;
}

std::string lmms_prompt(const Item& item) {
  if (item.options.empty()) return concat(item.question, "\n\n", kAnswerWithWord);
  return concat(item.question, "\n", listed_options(item), "\n\n", kAnswerWithLetter);
}

std::string official_prompt(const Item& item) {
  if (item.options.empty()) return concat(item.question, "\n\n", kAnswerWithWord);
  return concat(item.question, "\n\n", listed_options(item, "(", ") "), "\n\n\n", kAnswerWithLetter);
}

/// An open question becomes one of two options, the answer and "Other Answers".
Item closed_form(const Item& item) {
  Item closed = item;
  if (!item.options.empty()) return closed;
  const auto raw = item.row.find("answer");
  const auto gold = raw == item.row.end() ? std::string() : text_of_value(*raw).value_or("");
  closed.options = make_options({to_text(gold), U"Other Answers"});
  closed.golds = {U"A"};
  return closed;
}

Mark vlmevalkit_mark(const Item& item, TextView answer, const Profile& profile) {
  return mark_by_matcher(closed_form(item), answer, profile);
}

Mark vlmevalkit_judged(const Item& item, TextView answer, const Profile& profile, JudgedAnswer& judge) {
  return mark_by_matcher_or_judge(closed_form(item), answer, profile, judge);
}

const JudgeRule kJudge{"choice", "", /*is_needed=*/false, vlmevalkit_judged};

/// lmms-eval compares with the text of the answer, even where that is a list.
Mark lmms_mark(const Item& item, TextView answer, const Profile& profile) {
  if (!item.options.empty()) return mark_by_mmmu_lmms(item, answer, profile);
  const auto golds = unopened_golds(item, {"answer"});
  return right_or_wrong(profile.fixed ? mmmu_open_right(answer, golds) : mmmu_open_right_by_characters(answer, golds),
                        answer);
}

Mark official_mark(const Item& item, TextView answer, const Profile&) {
  if (!item.options.empty()) return mark_letter(mmmu_letter(answer, item.options, MmmuRule::kOfficial), item);
  return right_or_wrong(mmmu_open_right(answer, item.golds), answer);
}

std::vector<Figure> figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> all{mean_figure("accuracy", verdicts)};
  add_means_by({"split", "discipline", "subject"}, verdicts, all);
  return all;
}

/// VLMEvalKit's table has two splits, and what it calls the accuracy is that of the validation split.
std::vector<Figure> vlmevalkit_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Verdict> validation;
  for (const auto& verdict : verdicts) {
    if (tag_of(verdict.tags, "split") == "validation") validation.push_back(verdict);
  }
  return figures(validation.empty() ? verdicts : validation);
}

constexpr std::string_view kProRequest = "Answer with the option letter from the given choices directly.";

std::string pro_vlmevalkit_prompt(const Item& item) {
  if (item.question.empty()) {
    return "Answer the following multiple-choice question in the image. Answer directly with the option letter from "
           "the "
           "given choices. ";
  }
  return concat("Question: ", item.question, "\nOptions:\n", listed_options(item),
                "\nAnswer directly with the option letter from the given choices. ");
}

/// In the set "vision" question and options are in the picture.
std::string pro_lmms_prompt(const Item& item) {
  if (item.question.empty()) return std::string(kProRequest);
  return concat(item.question, "\n", listed_options(item), "\n\n", kProRequest);
}

std::string pro_official_prompt(const Item& item) {
  if (item.question.empty()) {
    return concat(kProRequest,
                  " The last line of your response should be of the following format: 'Answer: $LETTER' "
                  "(without quotes) where LETTER is one of options.");
  }
  return concat(item.question, "\n", listed_options(item), "\n", kProRequest);
}

Mark pro_lmms_mark(const Item& item, TextView answer, const Profile& profile) {
  if (item.question.empty()) return mark_letter(Text(answer), item);
  return mark_by_mmmu_lmms(item, answer, profile);
}

Mark pro_official_mark(const Item& item, TextView answer, const Profile&) {
  return mark_letter(mmmu_pro_letter(answer, item.options), item);
}

}  // namespace
}  // namespace vlsi::mmmu

namespace vlsi {

std::unique_ptr<Benchmark> open_mmmu(const BenchmarkSource& source) {
  using namespace mmmu;
  static const BenchmarkRules rules{
      "mmmu",
      read,
      usual_pictures,
      {{Community::kVlmEvalKit, vlmevalkit_choice_prompt, vlmevalkit_mark, vlmevalkit_figures, true, &kJudge},
       {Community::kLmms, lmms_prompt, lmms_mark, figures},
       {Community::kOfficial, official_prompt, official_mark, figures}}};
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_mmmu_pro(const BenchmarkSource& source) {
  using namespace mmmu;
  static const BenchmarkRules rules{"mmmu-pro",
                                    read,
                                    usual_pictures,
                                    {vlmevalkit_choice(pro_vlmevalkit_prompt, figures, true),
                                     {Community::kLmms, pro_lmms_prompt, pro_lmms_mark, figures},
                                     {Community::kOfficial, pro_official_prompt, pro_official_mark, figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
