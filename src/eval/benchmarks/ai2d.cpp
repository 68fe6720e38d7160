// AI2D: questions about diagrams of science.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/letters.h"

namespace vlsi::ai2d {
namespace {

/// The tables of VLMEvalKit, lmms-eval's set (options, answer as a number), and the JSON of the method's evaluator
/// (metadata: answerTexts, correctAnswer, questionId, abcLabel).
Item read(const RowReader& row) {
  const Json* metadata = row.find({"metadata"});
  if (metadata == nullptr || !metadata->is_object()) return read_choice(row, {"index", "id"});
  const RowReader inner{row.rows, row.number, *metadata, row.images};
  Item item;
  item.id = id_of(inner, {"questionId"});
  item.question = row.text({"question"});
  item.options = inner.options({"answerTexts"});
  item.golds = gold_letter(inner, {"correctAnswer"});
  item.gold_is_option = true;
  return item;
}

std::vector<Content> pictures(const RowReader& row) {
  const Json* metadata = row.find({"metadata"});
  const Json* name = row.find({"imageName"});
  if (metadata == nullptr || name == nullptr) return usual_pictures(row);
  const bool letters = metadata->value("abcLabel", false);
  const Json inside{{"image", (letters ? "abc_images/" : "images/") + row.text({"imageName"})}};
  return RowReader{row.rows, row.number, inside, row.images}.pictures({"image"});
}

std::string vlsi_prompt(const Item& item) {
  return concat(item.question, "\n", listed_options(item, "", ". ", " "), "\n", kAnswerWithLetter);
}

Mark lmms_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(ai2d_right(answer, item.golds[0]), answer);
}

Mark vlsi_mark(const Item& item, TextView answer, const Profile&) { return mark_letter(first_capital(answer), item); }

}  // namespace
}  // namespace vlsi::ai2d

namespace vlsi {

std::unique_ptr<Benchmark> open_ai2d(const BenchmarkSource& source) {
  using namespace ai2d;
  static const BenchmarkRules rules{"ai2d",
                                    read,
                                    pictures,
                                    {vlmevalkit_choice(vlmevalkit_choice_prompt, accuracy_figures),
                                     {Community::kLmms, lmms_choice_prompt, lmms_mark, accuracy_figures},
                                     {Community::kVlsi, vlsi_prompt, vlsi_mark, accuracy_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
