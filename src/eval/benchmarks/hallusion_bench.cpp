// HallusionBench: yes-or-no questions about figures as they are and as they were changed.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/benchmarks/yes_no_mark.h"
#include "eval/scoring/yes_no.h"

namespace vlsi::hallusion_bench {
namespace {

/// The tag of a question about a figure that it is asked without: to say so is right.
constexpr const char* kNoFigure = "no figure";

/// The tables of VLMEvalKit (whose index holds set, figure and question between underscores) and the authors' JSON.
Item read(const RowReader& row) {
  Item item;
  item.question = row.text({"question"});
  item.tags = usual_tags(row);
  if (row.find({"gt_answer"}) != nullptr) {
    const auto gold = row.text({"gt_answer"});
    if (gold != "0" && gold != "1") fail(row.place(), ": 'gt_answer' is ", quoted(gold), ", expected 0 or 1");
    item.golds = {gold == "1" ? U"yes" : U"no"};
    const auto kind = row.text({"category"}) + "_" + row.text({"subcategory"});
    const auto set = row.text({"set_id"}), figure = row.text({"figure_id"}), question = row.text({"question_id"});
    item.id = concat(kind, "_", set, "_", figure, "_", question);
    item.tags.emplace_back("figure", concat(kind, "_", set, "_", figure));
    item.tags.emplace_back("question", concat(kind, "_", set, "_", question));
    if (row.text({"category"}) == "VS" && figure == "0") item.tags.emplace_back(kNoFigure, "yes");
    return item;
  }
  item.id = row.text({"index"});
  item.golds = {yes_no_gold(row, {"answer"})};
  const Text index = to_text(item.id);
  const auto parts = split(index, U"_");
  if (parts.size() < 6) {
    fail(row.place(), ": column 'index' is ", item.id, ", expected set, figure and question as its 4th to 6th part");
  }
  const auto key = [&](size_t part) {
    return concat(item.tag("l2-category"), "_", to_utf8(parts[3]), "_", to_utf8(parts[part]));
  };
  item.tags.emplace_back("figure", key(4));
  item.tags.emplace_back("question", key(5));
  return item;
}

/// The authors' paths begin with "./"; 178 questions have no picture.
std::vector<Content> pictures(const RowReader& row) { return row.pictures({"filename", "image", "image_path"}); }

std::string vlmevalkit_prompt(const Item& item) { return item.question + " Please answer yes or no."; }

std::string vlsi_prompt(const Item& item) {
  constexpr std::string_view kRequest = "Please answer yes or no.";
  if (item.question.find(kRequest) != std::string::npos) return item.question;
  return concat(item.question, "\n", kRequest);
}

Mark unjudged(const Item&, TextView, const Profile&) { return not_scored(); }

/// Of lmms-eval and the authors: the judge compares with the expected answer in words. What it calls neither correct
/// nor incorrect is unclear.
template <int64_t kTokens>
Mark judged(const Item& item, TextView answer, const Profile&, JudgedAnswer& judge) {
  const auto details = item.row.find("gt_answer_details");
  const auto expected = details == item.row.end() ? std::nullopt : text_of_value(*details);
  const auto reply = judge.ask({item.question, expected.value_or(to_utf8(item.golds[0])), to_utf8(answer), ""},
                               {.max_tokens = kTokens});
  if (!reply) return not_scored();
  const Text verdict = lower(*reply);
  if (contains(verdict, U"incorrect")) return right_or_wrong(false, U"incorrect");
  if (contains(verdict, U"correct")) return right_or_wrong(true, U"correct");
  return right_or_wrong(!item.tag(kNoFigure).empty(), U"unclear");
}

const JudgeRule kLmmsJudge{"hallusion-bench", "", /*is_needed=*/true, judged<16>};
const JudgeRule kOfficialJudge{"hallusion-bench", "", /*is_needed=*/true, judged<0>};

/// aAcc of questions, fAcc of figures and qAcc of questions over all figures of their set.
/// With `kSkips`, as the authors have it, questions without their figure belong to none.
template <bool kSkips>
std::vector<Figure> group_figures(const std::vector<Verdict>& verdicts) {
  std::vector<std::pair<std::string, bool>> of_figures, of_questions;
  for (const auto& verdict : verdicts) {
    if (!kSkips || tag_of(verdict.tags, kNoFigure).empty()) {
      of_figures.emplace_back(tag_of(verdict.tags, "figure"), verdict.score == 1);
    }
    of_questions.emplace_back(tag_of(verdict.tags, "question"), verdict.score == 1);
  }
  std::vector<Figure> figures{mean_figure("aAcc", verdicts), share_of_groups("fAcc", of_figures),
                              share_of_groups("qAcc", of_questions)};
  add_means_by({"category", "l2-category"}, verdicts, figures);
  return figures;
}

}  // namespace
}  // namespace vlsi::hallusion_bench

namespace vlsi {

std::unique_ptr<Benchmark> open_hallusion_bench(const BenchmarkSource& source) {
  using namespace hallusion_bench;
  static const BenchmarkRules rules{
      "hallusion-bench",
      read,
      pictures,
      {{Community::kVlmEvalKit, vlmevalkit_prompt, mark_yes_no<yes_no_by_words>, group_figures<false>, false,
        &kYesNoJudge},
       {Community::kLmms, bare_question, unjudged, group_figures<true>, false, &kLmmsJudge},
       {Community::kOfficial, bare_question, unjudged, group_figures<true>, false, &kOfficialJudge},
       {Community::kVlsi, vlsi_prompt, mark_yes_no<yes_anywhere>, accuracy_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
