// LLaVA-Wilder: open questions whose answers a judge compares with a reference.
#include <cmath>

#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/judge/judge_rule.h"
#include "eval/scoring/judge_reply.h"
#include "text/python/python_number.h"

namespace vlsi::llava_wilder {
namespace {

/// Rows of Hugging Face: Question, Answer, image, image_name.
Item read(const RowReader& row) {
  Item item;
  item.id = id_of(row, {"question_id", "image_name", "id"});
  item.question = row.text({"Question", "question"});
  item.golds = {to_text(row.text({"Answer", "answer"}))};
  return item;
}

Mark unjudged(const Item&, TextView, const Profile&) { return not_scored(); }

/// The judge's two numbers, of the reference and of the answer. What is none of this form cannot be scored.
Mark mark_of_review(const std::optional<Text>& review) {
  if (!review) return not_scored();
  const auto [reference, own] = wilder_scores(*review);
  if (!(std::isfinite(reference) && std::isfinite(own) && reference >= 0 && own >= 0))
    return {"", 0, /*parsed=*/false, /*scored=*/false};
  constexpr double kMost = 10;
  return {concat(reference, ' ', own), own / kMost};
}

JudgeFields fields_of(const Item& item, TextView answer) {
  return {item.question, to_utf8(item.golds[0]), to_utf8(answer), ""};
}

constexpr int64_t kTokens = 1024;

Mark lmms_judged(const Item& item, TextView answer, const Profile&, JudgedAnswer& judge) {
  return mark_of_review(judge.ask(fields_of(item, answer), {.max_tokens = kTokens, .with_pictures = true}));
}

Mark vlsi_judged(const Item& item, TextView answer, const Profile&, JudgedAnswer& judge) {
  return mark_of_review(judge.ask(fields_of(item, answer), {.temperature = 0.2, .max_tokens = kTokens}));
}

const JudgeRule kLmmsJudge{"llava-wilder", "", /*is_needed=*/true, lmms_judged};
const JudgeRule kVlsiJudge{"llava-wilder", "", /*is_needed=*/true, vlsi_judged};

/// The answers' mean score as a share of the references'.
std::vector<Figure> figures(const std::vector<Verdict>& verdicts) {
  std::vector<Unit> units;
  for (const auto& verdict : verdicts) {
    const Text said = to_text(verdict.said);
    const auto numbers = split(said);
    units.push_back({{{0, *parse_float(numbers[0]), 1}, {1, *parse_float(numbers[1]), 1}}});
  }
  const auto share = [](std::span<const Sums> parts) {
    return parts[0].sum == 0 ? 0 : parts[1].mean() / parts[0].mean();
  };
  return {figure_of_units("share of the reference", units, 2, std::ssize(verdicts), share)};
}

}  // namespace
}  // namespace vlsi::llava_wilder

namespace vlsi {

std::unique_ptr<Benchmark> open_llava_wilder(const BenchmarkSource& source) {
  using namespace llava_wilder;
  static const BenchmarkRules rules{"llava-wilder",
                                    read,
                                    usual_pictures,
                                    {{Community::kLmms, bare_question, unjudged, figures, false, &kLmmsJudge},
                                     {Community::kVlsi, bare_question, unjudged, figures, false, &kVlsiJudge}}};
  return open_items(source, rules);
}

}  // namespace vlsi
