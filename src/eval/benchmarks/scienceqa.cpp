// ScienceQA and RealWorldQA: multiple choice about school science and about photographs of the world.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/judge/judge_rule.h"
#include "eval/scoring/letters.h"
#include "eval/scoring/text_found.h"

namespace vlsi::scienceqa {
namespace {

/// The tables of VLMEvalKit, rows of Hugging Face, and the authors' JSON, an object by id (choices, answer as a
/// number).
Item read_scienceqa(const RowReader& row) { return read_choice(row, {"index", "id", "__key"}); }

std::string science_lmms_prompt(const Item& item) {
  return (item.hint.empty() ? "" : concat("Context: ", item.hint, "\n")) + lmms_choice_prompt(item);
}

Mark science_lmms_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(!item.golds.empty() && scienceqa_right(answer, item.golds[0]), answer);
}

/// The tables of VLMEvalKit, and rows of Hugging Face, whose options are in the question; answers may be texts.
Item read_realworldqa(const RowReader& row) {
  Item item = read_choice(row, {"index", "id"});
  if (item.options.empty()) item.golds = {to_text(row.text({"answer"}))};
  return item;
}

std::string real_lmms_prompt(const Item& item) { return to_utf8(strip(to_text(item.question))); }

Mark real_lmms_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(!item.golds.empty() && realworld_right(answer, item.golds[0]), answer);
}

}  // namespace
}  // namespace vlsi::scienceqa

namespace vlsi {

std::unique_ptr<Benchmark> open_scienceqa(const BenchmarkSource& source) {
  using namespace scienceqa;
  static const BenchmarkRules rules{
      "scienceqa",
      read_scienceqa,
      usual_pictures,
      {{Community::kVlmEvalKit, vlmevalkit_choice_prompt, mark_by_matcher, accuracy_figures, false, &option_judge()},
       {Community::kLmms, science_lmms_prompt, science_lmms_mark, accuracy_figures},
       {Community::kVlsi, vlsi_choice_prompt, mark_by_choice, accuracy_figures}}};
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_realworldqa(const BenchmarkSource& source) {
  using namespace scienceqa;
  static const BenchmarkRules rules{
      "realworldqa",
      read_realworldqa,
      usual_pictures,
      {{Community::kVlmEvalKit, vlmevalkit_choice_prompt, mark_by_matcher, accuracy_figures, false, &option_judge()},
       {Community::kLmms, real_lmms_prompt, real_lmms_mark, accuracy_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
