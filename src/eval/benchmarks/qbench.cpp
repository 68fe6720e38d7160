// Q-Bench, first task: questions about low-level properties of a picture (LLVisionQA).
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/letters.h"

namespace vlsi::qbench {
namespace {

constexpr const char* kConcerns[] = {"Global Distortion", "Global Others", "Local Distortion", "Local Others"};
constexpr const char* kTypes[] = {"Yes/No", "How", "What"};

/// A number of lmms-eval's data as its name; a text as it is.
template <size_t kCount>
void add_tag(const RowReader& row, RowReader::Keys keys, const char* name, const char* const (&names)[kCount],
             Tags& tags) {
  const Json* value = row.find(keys);
  if (value == nullptr) return;
  const bool is_known =
      value->is_number_integer() && value->get<int64_t>() >= 0 && value->get<int64_t>() < static_cast<int64_t>(kCount);
  tags.emplace_back(name, is_known ? names[value->get<int64_t>()] : row.text(keys));
}

/// The tables of VLMEvalKit (A, B, …, answer), lmms-eval's set (option0 to option3, where N/A is none, correct_choice),
/// and the authors' JSON (candidates, correct_ans as a text).
Item read(const RowReader& row) {
  Item item = read_choice(row, {"index", "id"});
  if (item.options.empty()) {
    std::vector<Text> texts;
    for (const char* key : {"option0", "option1", "option2", "option3"}) {
      const auto text = row.text_or({key}, "N/A");
      if (text == "N/A") break;
      texts.push_back(to_text(text));
    }
    item.options = make_options(texts);
  }
  if (row.find({"correct_choice"}) != nullptr) item.golds = gold_letter(row, {"correct_choice"});
  if (row.find({"correct_ans"}) != nullptr) {
    const Text answer = to_text(row.text({"correct_ans"}));
    for (const auto& option : item.options) {
      if (option.text == answer) item.golds = {option.label};
    }
    if (item.golds.empty()) fail(row.place(), ": key 'correct_ans' is none of the candidates");
  }
  if (row.find({"question_concern", "question_type"}) != nullptr) {
    add_tag(row, {"question_concern"}, "concern", kConcerns, item.tags);
    add_tag(row, {"question_type"}, "type", kTypes, item.tags);
  } else {
    add_tag(row, {"concern"}, "concern", kConcerns, item.tags);
    if (row.find({"type"}) != nullptr) item.tags.emplace_back("type", row.text({"type"}));
  }
  return item;
}

std::string lmms_prompt(const Item& item) { return lmms_choice_prompt(item) + "\n"; }

/// An answer without a letter counts as the last option: in the original, index -1 of a list.
Mark vlsi_mark(const Item& item, TextView answer, const Profile&) {
  const int64_t choice = convert_to_choice(answer, item.options.size());
  if (item.options.empty()) return {"", 0, false};
  const auto& option = choice < 0 ? item.options.back() : item.options[static_cast<size_t>(choice)];
  Mark mark = mark_letter(option.label, item);
  mark.parsed = choice >= 0;
  return mark;
}

std::vector<Figure> figures(const std::vector<Verdict>& verdicts) {
  auto all = accuracy_figures(verdicts);
  add_means_by({"concern", "type"}, verdicts, all);
  return all;
}

}  // namespace
}  // namespace vlsi::qbench

namespace vlsi {

std::unique_ptr<Benchmark> open_qbench(const BenchmarkSource& source) {
  using namespace qbench;
  static const BenchmarkRules rules{"qbench",
                                    read,
                                    usual_pictures,
                                    {vlmevalkit_choice(vlmevalkit_choice_prompt, figures),
                                     {Community::kLmms, lmms_prompt, mark_by_mmmu_lmms, figures},
                                     {Community::kVlsi, vlsi_choice_prompt, vlsi_mark, figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
