// MathVista: questions of mathematics about pictures, with choices or with numbers as answers.
#include "eval/scoring/mathvista.h"

#include <algorithm>

#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/judge/judge_rule.h"

namespace vlsi::mathvista {
namespace {

constexpr const char* kTags[] = {"question_type", "answer_type", "language", "source",
                                 "category",      "task",        "context",  "grade"};

/// The authors' JSON or rows of Hugging Face (pid, query, choices, metadata) and the tables of VLMEvalKit.
Item read(const RowReader& row) {
  Item item;
  item.id = id_of(row, {"index", "pid", "__key"});
  item.question = row.text({"question"});
  item.options = row.options({"choices"});
  if (row.find({"answer"}) != nullptr) item.golds = {to_text(row.text({"answer"}))};
  const Json* metadata = row.find({"metadata"});
  const RowReader inner{row.rows, row.number, metadata != nullptr && metadata->is_object() ? *metadata : row.values,
                        row.images};
  for (const char* name : kTags) {
    const auto value = row.text_or({name}, inner.text_or({name}, ""));
    if (!value.empty()) item.tags.emplace_back(name, value);
  }
  if (inner.find({"skills"}) != nullptr) {
    for (const auto& skill : inner.texts({"skills"})) item.tags.emplace_back("skills", skill);
  }
  return item;
}

std::vector<Content> pictures(const RowReader& row) { return row.pictures({"decoded_image", "image"}); }

std::string text_of(const Item& item, const char* key) {
  const auto found = item.row.find(key);
  return found == item.row.end() ? "" : text_of_value(*found).value_or("");
}

MathVistaQuestion question_of(const Item& item) {
  MathVistaQuestion question;
  question.multiple_choice = item.tag("question_type") == "multi_choice";
  question.answer_type = to_text(item.tag("answer_type"));
  for (const auto& option : item.options) question.choices.push_back(option.text);
  if (const auto precision = item.row.find("precision"); precision != item.row.end() && !precision->is_null()) {
    // Tables have numbers as text; a precision is a whole one there.
    question.precision =
        precision->is_number() ? precision->get<double>() : std::atof(text_of(item, "precision").c_str());
    question.precision_is_whole = !precision->is_number_float();
  }
  if (!item.golds.empty()) question.answer = item.golds[0];
  question.answer_letter = to_text(text_of(item, "answer_option"));
  if (question.answer_letter.empty()) {
    const auto right = std::find_if(item.options.begin(), item.options.end(),
                                    [&](const Option& option) { return option.text == question.answer; });
    if (right != item.options.end()) question.answer_letter = right->label;
  }
  return question;
}

/// What is asked: hint, question and choices in one text, which VLMEvalKit's table has as the question.
std::string query(const Item& item) {
  const auto query = text_of(item, "query");
  return query.empty() ? item.question : query;
}

/// The request of the task "format" for the type of the answer.
std::string request(const MathVistaQuestion& question) {
  if (question.multiple_choice) return std::string(kAnswerWithLetter);
  if (question.answer_type == U"integer") return "Answer the question using a single integer number.";
  if (question.answer_type == U"list") return "Answer the question using a Python list.";
  return concat("Answer the question using a single floating-point number with ",
                question.precision.value_or(1) == 2 ? "two decimal places." : "one decimal place.");
}

std::string lmms_prompt(const Item& item) {
  const auto unit = text_of(item, "unit");
  std::string prompt = item.question + (unit.empty() ? "" : concat(" (Unit: ", unit, ")"));
  if (options_are_apart(item)) prompt += "\n" + listed_options(item);
  return concat(prompt, "\n", request(question_of(item)));
}

/// Without a judge only a reply that is the answer itself counts.
Mark vlmevalkit_mark(const Item& item, TextView answer, const Profile&) {
  const auto question = question_of(item);
  const auto check = mathvista_check(answer, question);
  const bool read = question.multiple_choice ? check.letter.has_value() : check.right;
  return {read ? to_utf8(check.letter ? TextView(*check.letter) : answer) : "", check.right ? 1.0 : 0.0, read};
}

JudgeFields fields_of(const std::string& asked, const Item& item, TextView answer) {
  return {asked, to_utf8(item.golds[0]), to_utf8(answer), listed_options(item)};
}

/// The judge reads the answer out of a reply that is none itself.
Mark vlmevalkit_judged(const Item& item, TextView answer, const Profile& profile, JudgedAnswer& judge) {
  const auto alone = vlmevalkit_mark(item, answer, profile);
  if (alone.parsed) return alone;
  const auto extraction = judge.ask(fields_of(query(item), item, answer), {.max_tokens = 128});
  return extraction ? vlmevalkit_mark(item, *extraction, profile) : not_scored();
}

template <MathVistaRule kRule>
TextView stripped_for(TextView answer) {
  return kRule == MathVistaRule::kLmms ? strip(answer) : answer;
}

/// Without a judge what needs one counts as an empty extraction, of which the scripts make the shortest choice.
Mark mark_of_extraction(const std::optional<Text>& extraction, const MathVistaQuestion& question, MathVistaRule rule) {
  const auto normal = mathvista_normal(extraction.value_or(Text()), question, rule);
  Mark mark = right_or_wrong(mathvista_equal(normal, question.answer, rule), normal.value_or(Text()));
  mark.parsed = extraction.has_value();
  return mark;
}

template <MathVistaRule kRule>
Mark mark(const Item& item, TextView answer, const Profile&) {
  const auto question = question_of(item);
  return mark_of_extraction(mathvista_extract(stripped_for<kRule>(answer), question), question, kRule);
}

template <MathVistaRule kRule>
Mark judged(const Item& item, TextView answer, const Profile&, JudgedAnswer& judge) {
  const auto question = question_of(item);
  auto extraction = mathvista_extract(stripped_for<kRule>(answer), question);
  if (!extraction) {
    extraction = judge.ask(fields_of(query(item), item, answer), {.max_tokens = 256});
    if (!extraction) return not_scored();
  }
  return mark_of_extraction(extraction, question, kRule);
}

constexpr std::string_view kTail = "\n\n{question}\n\n{prediction}\n\nExtracted answer: ";
const JudgeRule kVlmEvalKitJudge{"mathvista", kTail, /*is_needed=*/false, vlmevalkit_judged};
const JudgeRule kLmmsJudge{"mathvista", kTail, /*is_needed=*/false, judged<MathVistaRule::kLmms>};
const JudgeRule kOfficialJudge{"mathvista", kTail, /*is_needed=*/false, judged<MathVistaRule::kOfficial>};

std::vector<Figure> figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> all{mean_figure("accuracy", verdicts)};
  add_means_by({std::begin(kTags), std::end(kTags)}, verdicts, all);
  add_means_by({"skills"}, verdicts, all);
  return all;
}

}  // namespace
}  // namespace vlsi::mathvista

namespace vlsi {

std::unique_ptr<Benchmark> open_mathvista(const BenchmarkSource& source) {
  using namespace mathvista;
  static const BenchmarkRules rules{
      "mathvista",
      read,
      pictures,
      {{Community::kVlmEvalKit, query, vlmevalkit_mark, figures, false, &kVlmEvalKitJudge},
       {Community::kLmms, lmms_prompt, mark<MathVistaRule::kLmms>, figures, false, &kLmmsJudge},
       {Community::kOfficial, query, mark<MathVistaRule::kOfficial>, figures, false, &kOfficialJudge},
       {Community::kVlsi, query, mark<MathVistaRule::kOfficial>, figures, false, &kOfficialJudge}}};
  return open_items(source, rules);
}

}  // namespace vlsi
