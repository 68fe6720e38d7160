// SEED-Bench-2-Plus: questions about charts, maps and web pages full of text.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/letters.h"

namespace vlsi::seed_bench_2_plus {
namespace {

/// The tables of VLMEvalKit, and the authors' JSON and lmms-eval's set (choice_a or choice_A to D,
/// question_image_type).
Item read(const RowReader& row) {
  Item item = read_choice(row, {"index", "question_id"});
  if (item.options.empty()) {
    std::vector<Text> texts;
    for (char letter = 'A'; letter <= 'D'; ++letter) {
      const auto large = concat("choice_", letter), small = concat("choice_", static_cast<char>(letter + 32));
      texts.push_back(to_text(row.text({large.c_str(), small.c_str()})));
    }
    item.options = make_options(texts);
  }
  if (row.find({"question_image_type"}) != nullptr) {
    std::erase_if(item.tags, [](const auto& tag) { return tag.first == "category"; });
    item.tags.emplace_back("category", row.text({"question_image_type"}));
  }
  return item;
}

std::vector<Content> pictures(const RowReader& row) { return row.pictures({"image", "image_path", "data_id"}); }

/// A choice that names a picture file becomes a marker.
std::string lmms_prompt(const Item& item) {
  Item shown = item;
  for (auto& option : shown.options) {
    if (contains(option.text, U"jpg") || contains(option.text, U"png")) option.text = U"<image>";
  }
  return lmms_choice_prompt(shown);
}

Mark lmms_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(first_character_is(answer, item.golds[0]), strip(answer).substr(0, 1));
}

Mark vlsi_mark(const Item& item, TextView answer, const Profile&) {
  return mark_letter(answer.empty() ? std::nullopt : std::optional(Text(answer.substr(0, 1))), item);
}

}  // namespace
}  // namespace vlsi::seed_bench_2_plus

namespace vlsi {

std::unique_ptr<Benchmark> open_seed_bench_2_plus(const BenchmarkSource& source) {
  using namespace seed_bench_2_plus;
  static const BenchmarkRules rules{"seed-bench-2-plus",
                                    read,
                                    pictures,
                                    {vlmevalkit_choice(vlmevalkit_choice_prompt, accuracy_figures),
                                     {Community::kLmms, lmms_prompt, lmms_mark, accuracy_figures},
                                     {Community::kVlsi, vlsi_choice_prompt, vlsi_mark, accuracy_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
