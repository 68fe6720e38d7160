// Questions whose answers are texts in the picture: OCRBench, DocVQA, InfoVQA, TextVQA.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/edit_distance.h"
#include "eval/scoring/text_found.h"
#include "eval/scoring/vqa_text.h"

namespace vlsi::text_vqa {
namespace {

/// The tables of VLMEvalKit (answer, a text or a list) and rows of Hugging Face (answers). A set without answers is
/// one for a server.
Item read(const RowReader& row) {
  Item item;
  item.id = id_of(row, {"index", "questionId", "question_id", "id"});
  item.question = row.text({"question"});
  if (row.find({"answers", "answer"}) != nullptr) {
    for (const auto& gold : row.texts({"answers", "answer"})) item.golds.push_back(to_text(gold));
  }
  item.tags = usual_tags(row);
  if (row.find({"question_type"}) != nullptr) item.tags.emplace_back("category", row.text_or({"question_type"}, ""));
  return item;
}

Mark anls_mark(const Item& item, TextView answer, const Profile&) {
  return {to_utf8(answer), anls(item.golds, answer)};
}

std::vector<Text> processed(const std::vector<Text>& texts, Text (*process)(TextView)) {
  std::vector<Text> all;
  for (const auto& text : texts) all.push_back(process(text));
  return all;
}

Mark vqa_mark(const Item& item, TextView answer, const Profile&) {
  return {to_utf8(answer), vqa_accuracy_numpy(vqa_answer(answer), processed(item.golds, vqa_answer))};
}

Mark evalai_mark(const Item& item, TextView answer, const Profile&) {
  return {to_utf8(answer), vqa_accuracy(evalai_answer(answer), processed(item.golds, evalai_answer))};
}

std::string capitalized_prompt(const Item& item) { return concat(capitalized(item.question), "\n", kAnswerWithWord); }

/// Formulas are known by their category in VLMEvalKit's table, by their set in lmms-eval.
bool is_formula(const Item& item) {
  const auto set = item.row.find("dataset");
  if (set != item.row.end()) return *set == Json("HME100k");
  return item.tag("category") == "Handwritten Mathematical Expression Recognition";
}

template <bool kFoldWidth>
Mark ocr_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(ocr_text_found(answer, item.golds, is_formula(item), kFoldWidth), answer);
}

std::string stripped_question(const Item& item) { return to_utf8(strip(to_text(item.question))); }

BenchmarkRules anls_rules(std::string_view name) {
  return {name,
          read,
          usual_pictures,
          {{Community::kVlmEvalKit, word_prompt, anls_mark, accuracy_figures},
           {Community::kLmms, word_prompt, anls_mark, accuracy_figures}}};
}

}  // namespace
}  // namespace vlsi::text_vqa

namespace vlsi {

std::unique_ptr<Benchmark> open_docvqa(const BenchmarkSource& source) {
  using namespace text_vqa;
  static const auto rules = anls_rules("docvqa");
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_infovqa(const BenchmarkSource& source) {
  using namespace text_vqa;
  static const auto rules = anls_rules("infovqa");
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_textvqa(const BenchmarkSource& source) {
  using namespace text_vqa;
  static const BenchmarkRules rules{"textvqa",
                                    read,
                                    usual_pictures,
                                    {{Community::kVlmEvalKit, word_prompt, vqa_mark, accuracy_figures},
                                     {Community::kLmms, capitalized_prompt, evalai_mark, accuracy_figures}}};
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_ocrbench(const BenchmarkSource& source) {
  using namespace text_vqa;
  static const BenchmarkRules rules{"ocrbench",
                                    read,
                                    usual_pictures,
                                    {{Community::kVlmEvalKit, bare_question, ocr_mark<false>, accuracy_figures},
                                     {Community::kLmms, stripped_question, ocr_mark<true>, accuracy_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
