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

/// The gold as it is written: "[2008, 2009]" is one text. VLMEvalKit alone takes a list for several golds.
std::vector<Text> written_golds(const Item& item) { return unopened_golds(item, {"answer", "label"}); }

bool any_right(const std::vector<Text>& golds, TextView answer) {
  return std::any_of(golds.begin(), golds.end(), [&](const Text& gold) { return relaxed_right(gold, answer); });
}

Mark vlmevalkit_mark(const Item& item, TextView answer, const Profile&) {
  const auto written = written_golds(item);
  const bool is_list = written.size() != 1 || strip(written[0]).starts_with(U'[');
  return right_or_wrong(any_right(is_list ? item.golds : written, strip(answer)), answer);
}

Mark lmms_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(any_right(written_golds(item), answer), answer);
}

Mark vlsi_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(relaxed_right_swapped(written_golds(item), answer), answer);
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
