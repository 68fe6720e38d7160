// ScienceQA and RealWorldQA: multiple choice about school science and about photographs of the world.
#include "base/error.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/letters.h"
#include "eval/scoring/text_found.h"

namespace vlsi::scienceqa {
namespace {

/// The tables of VLMEvalKit and rows of Hugging Face (choices, answer as a number). The authors' JSON, an object by id,
/// has all splits at once, and questions without a picture.
Item read_scienceqa(const RowReader& row) {
  if (row.find({"__key"}) != nullptr) {
    fail(row.place(), ": the authors' problems.json has every split in one file, expected a table of one split, as ",
         "ScienceQA_TEST.tsv, or rows of lmms-lab-encoder/ScienceQA");
  }
  return read_choice(row, {"index", "id"});
}

std::string science_lmms_prompt(const Item& item) {
  return (item.hint.empty() ? "" : concat("Context: ", item.hint, "\n")) + lmms_choice_prompt(item);
}

Mark science_lmms_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(scienceqa_right(answer, item.golds[0]), answer);
}

/// The tables of VLMEvalKit, and rows of Hugging Face, whose options are in the question; answers may be texts.
Item read_realworldqa(const RowReader& row) {
  Item item = read_choice(row, {"index", "id"});
  if (item.options.empty()) item.golds = {to_text(row.text({"answer"}))};
  return item;
}

/// The options of a table's columns stand behind the question as they do in the hub's rows, with the request there.
std::string real_lmms_prompt(const Item& item) {
  const auto question = to_utf8(strip(to_text(item.question)));
  if (!options_are_apart(item)) return question;
  return concat(question, "\n\n", listed_options(item),
                "\nPlease answer directly with only the letter of the correct option and nothing else.");
}

Mark real_lmms_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(realworld_right(answer, item.golds[0]), answer);
}

}  // namespace
}  // namespace vlsi::scienceqa

namespace vlsi {

std::unique_ptr<Benchmark> open_scienceqa(const BenchmarkSource& source) {
  using namespace scienceqa;
  static const BenchmarkRules rules{"scienceqa",
                                    read_scienceqa,
                                    usual_pictures,
                                    {vlmevalkit_choice(vlmevalkit_choice_prompt, accuracy_figures),
                                     {Community::kLmms, science_lmms_prompt, science_lmms_mark, accuracy_figures},
                                     {Community::kVlsi, vlsi_choice_prompt, mark_by_choice, accuracy_figures}}};
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_realworldqa(const BenchmarkSource& source) {
  using namespace scienceqa;
  static const BenchmarkRules rules{"realworldqa",
                                    read_realworldqa,
                                    usual_pictures,
                                    {vlmevalkit_choice(vlmevalkit_choice_prompt, accuracy_figures),
                                     {Community::kLmms, real_lmms_prompt, real_lmms_mark, accuracy_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
