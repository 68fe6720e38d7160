// LLaVA-Wilder: open questions whose answers a judge compares with a reference.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"

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

Mark judged(const Item&, TextView, const Profile&) { return not_scored(); }

}  // namespace
}  // namespace vlsi::llava_wilder

namespace vlsi {

std::unique_ptr<Benchmark> open_llava_wilder(const BenchmarkSource& source) {
  using namespace llava_wilder;
  static const BenchmarkRules rules{"llava-wilder",
                                    read,
                                    usual_pictures,
                                    {{Community::kLmms, bare_question, judged, accuracy_figures},
                                     {Community::kVlsi, bare_question, judged, accuracy_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
