// ChartQA: questions about charts, written by people and made by a program.
#include <algorithm>

#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/number_match.h"

namespace vlsi::chartqa {
namespace {

/// The tables of VLMEvalKit (split), lmms-eval's set (type), and the authors' JSON (imgname, query, label; the half is
/// in the file's name).
Item read(const RowReader& row) {
  Item item;
  item.id = id_of(row, {"index", "id"});
  item.question = row.text({"question", "query"});
  for (const auto& gold : row.texts({"answer", "label"})) item.golds.push_back(to_text(gold));
  std::string half = row.text_or({"type", "split"}, "");
  if (half.empty()) {
    const auto file = row.rows.file(row.number);
    half = file.find("human") != file.npos ? "human" : file.find("augmented") != file.npos ? "augmented" : "";
  }
  if (!half.empty()) item.tags.emplace_back("split", half);
  return item;
}

std::vector<Content> pictures(const RowReader& row) { return row.pictures({"image", "image_path", "imgname"}); }

std::string lmms_prompt(const Item& item) { return item.question + "\nAnswer the question with a single word."; }

bool any_right(const Item& item, TextView answer) {
  return std::any_of(item.golds.begin(), item.golds.end(),
                     [&](const Text& gold) { return relaxed_right(gold, answer); });
}

Mark vlmevalkit_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(any_right(item, strip(answer)), answer);
}

Mark lmms_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(any_right(item, answer), answer);
}

Mark vlsi_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(relaxed_right_swapped(item.golds, answer), answer);
}

}  // namespace
}  // namespace vlsi::chartqa

namespace vlsi {

std::unique_ptr<Benchmark> open_chartqa(const BenchmarkSource& source) {
  using namespace chartqa;
  static const BenchmarkRules rules{"chartqa",
                                    read,
                                    pictures,
                                    {{Community::kVlmEvalKit, word_prompt, vlmevalkit_mark, accuracy_figures},
                                     {Community::kLmms, lmms_prompt, lmms_mark, accuracy_figures},
                                     {Community::kVlsi, word_prompt, vlsi_mark, accuracy_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
