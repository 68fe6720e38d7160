// MM-Vet and MM-Vet-v2: open questions that a judge scores from 0 to 1.
#include <algorithm>

#include "base/atomic_file.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/judge/judge_rule.h"
#include "eval/scoring/judge_reply.h"

namespace vlsi::mm_vet {
namespace {

bool is_picture(TextView piece) { return contains(piece, U".png") || contains(piece, U".jpg"); }

/// The authors' JSON (an object by id: imagename, question, answer, capability) and the tables of VLMEvalKit. In v2 a
/// question is text and names of pictures between <IMG>.
Item read(const RowReader& row) {
  Item item;
  item.id = id_of(row, {"__key", "question_id", "index", "id"});
  const Text question = to_text(row.text({"question"}));
  for (const auto piece : split(question, U"<IMG>")) {
    if (!is_picture(piece)) item.question += to_utf8(piece);
  }
  item.golds = {to_text(row.text({"answer"}))};
  std::string all;
  if (row.find({"capability", "category"}) != nullptr) {
    for (const auto& list : row.texts({"capability", "category"})) {
      const Text names = to_text(list);
      for (const auto name : split(names, U",")) {
        item.tags.emplace_back("capability", to_utf8(strip(name)));
        all += (all.empty() ? "" : ",") + to_utf8(strip(name));
      }
    }
  }
  item.tags.emplace_back("capabilities", all);
  return item;
}

std::vector<Content> pictures(const RowReader& row) {
  Json names = Json::array();
  const Text question = to_text(row.text_or({"question"}, ""));
  for (const auto piece : split(question, U"<IMG>")) {
    if (is_picture(piece)) names.push_back(to_utf8(strip(piece)));
  }
  if (contains(question, U"<IMG>") && !names.empty()) {
    const Json inside{{"image", names}};
    return RowReader{row.rows, row.number, inside, row.images}.pictures({"image"});
  }
  return row.pictures({"image", "imagename"});
}

std::string lmms_prompt(const Item& item) {
  return "First please perform reasoning, and think step by step to provide best answer to the following question: "
         "\n\n" +
         item.question;
}

Mark unjudged(const Item&, TextView, const Profile&) { return not_scored(); }

/// What the authors put between the parts of an answer stands apart from them.
Text with_space(Text answer) {
  for (const TextView mark : {TextView(U"<AND>"), TextView(U"<OR>")}) {
    answer = replace(answer, mark, U" " + Text(mark) + U" ");
  }
  return answer;
}

JudgeFields fields_of(const Item& item, TextView answer) {
  return {item.question, to_utf8(with_space(item.golds[0])), to_utf8(answer), ""};
}

/// The same for v2: a line is a row of a table, with marks for pictures.
JudgeFields v2_fields_of(const Item& item, TextView answer) {
  std::string question;
  const auto raw = item.row.find("question");
  const Text text = to_text(raw == item.row.end() ? item.question : text_of_value(*raw).value_or(item.question));
  for (const auto piece : split(text, U"<IMG>")) {
    question += is_picture(piece) ? "<image>" : to_utf8(piece);
  }
  auto fields = fields_of(item, answer);
  fields.question = question;
  for (auto* field : {&fields.question, &fields.answer, &fields.prediction}) {
    *field = to_utf8(replace(to_text(*field), U"\n", U"<br>"));
  }
  return fields;
}

Mark mark_of(double score, std::string said) { return {std::move(said), score}; }

/// VLMEvalKit: a reply that is a number and nothing else; 0 when the tries are spent.
Mark vlmevalkit_judged(const Item& item, TextView answer, const Profile&, JudgedAnswer& judge) {
  for (int64_t i = 0; i < kMmVetTries; ++i) {
    const auto reply = judge.ask(fields_of(item, answer),
                                 {.temperature = 0.5 * static_cast<double>(i), .max_tokens = 3, .attempt = i});
    if (!reply) return not_scored();
    if (const auto score = mmvet_whole(*reply)) return mark_of(*score, judge.last_reply());
  }
  return {"", 0, /*parsed=*/false};
}

/// The authors: a reply that begins with a number. It is asked for once more five times, then 0. A request that is
/// refused counts as 0 in v2.
template <JudgeFields (*kFields)(const Item&, TextView), bool kRefusedIsZero>
Mark official_judged(const Item& item, TextView answer, const Profile&, JudgedAnswer& judge) {
  constexpr int64_t kMoreTries = 5;
  constexpr double kHottest = 2;  // that the interface takes
  constexpr std::string_view kAgain = "\nPredict the correctness of the answer (digit): ";
  for (int64_t i = 0; i <= kMoreTries; ++i) {
    const double temperature = std::min(0.5 * static_cast<double>(i), kHottest);
    const auto reply =
        judge.ask(kFields(item, answer),
                  {.temperature = temperature, .max_tokens = 3, .attempt = i, .more = i > 0 ? kAgain : ""});
    if (!reply && kRefusedIsZero && judge.is_refused()) return {"", 0, /*parsed=*/false};
    if (!reply) return not_scored();
    if (const auto score = mmvet_first_word(*reply)) return mark_of(*score, judge.last_reply());
  }
  return {"", 0, /*parsed=*/false};
}

constexpr std::string_view kTail = "\n{question} | {answer} | {prediction} | ";
const JudgeRule kVlmEvalKitJudge{"mm-vet", kTail, /*is_needed=*/true, vlmevalkit_judged};
const JudgeRule kOfficialJudge{"mm-vet", kTail, /*is_needed=*/true, official_judged<fields_of, false>};
const JudgeRule kV2Judge{"mm-vet-v2", kTail, /*is_needed=*/true, official_judged<v2_fields_of, true>};

/// VLMEvalKit counts an answer that needs recognition or reading alone twice for that capability.
std::vector<Figure> vlmevalkit_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> all{mean_figure("total", verdicts)};
  auto counted = verdicts;
  for (auto& verdict : counted) {
    const std::string name(tag_of(verdict.tags, "capabilities"));
    if (name == "rec" || name == "ocr") verdict.tags.emplace_back("capability", name);
  }
  add_means_by({"capability", "capabilities"}, counted, all);
  return all;
}

std::vector<Figure> figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> all{mean_figure("total", verdicts)};
  add_means_by({"capability", "capabilities"}, verdicts, all);
  return all;
}

/// What the authors' script and server take: answers by the ids of their questions.
void submit(const std::vector<Submitted>& answers, const std::filesystem::path& folder) {
  OrderedJson by_id = OrderedJson::object();
  for (const auto& [item, answer] : answers) by_id[item.id] = answer;
  write_json(folder / "submission.json", by_id);
}

}  // namespace
}  // namespace vlsi::mm_vet

namespace vlsi {

std::unique_ptr<Benchmark> open_mm_vet(const BenchmarkSource& source) {
  using namespace mm_vet;
  static const BenchmarkRules rules{
      "mm-vet",
      read,
      pictures,
      {{Community::kVlmEvalKit, bare_question, unjudged, vlmevalkit_figures, false, &kVlmEvalKitJudge},
       {Community::kLmms, lmms_prompt, unjudged, figures, false, &kOfficialJudge},
       {Community::kOfficial, bare_question, unjudged, figures, false, &kOfficialJudge},
       {Community::kVlsi, bare_question, unjudged, figures, false, &kOfficialJudge}},
      submit};
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_mm_vet_v2(const BenchmarkSource& source) {
  using namespace mm_vet;
  static const BenchmarkRules rules{"mm-vet-v2",
                                    read,
                                    pictures,
                                    {{Community::kLmms, lmms_prompt, unjudged, figures, false, &kV2Judge},
                                     {Community::kOfficial, bare_question, unjudged, figures, false, &kV2Judge},
                                     {Community::kVlsi, bare_question, unjudged, figures, false, &kV2Judge}},
                                    submit};
  return open_items(source, rules);
}

}  // namespace vlsi
