// CV-Bench: counting and relations in two dimensions, depth and distance in three.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/letters.h"

namespace vlsi::cv_bench {
namespace {

/// Rows of Hugging Face (idx, type, task, choices, answer "(A)", prompt, source) and the two tables of VLMEvalKit.
Item read(const RowReader& row) {
  Item item = read_choice(row, {"index", "idx"});
  for (const char* name : {"source", "type", "task"}) {
    if (row.find({name}) != nullptr) item.tags.emplace_back(name, row.text({name}));
  }
  return item;
}

std::string lmms_prompt(const Item& item) { return concat(letters_note(item), "\n\n", own_prompt(item)); }

std::string vlsi_prompt(const Item& item) { return concat(own_prompt(item), "\n", kAnswerWithLetter); }

Mark lmms_mark(const Item& item, TextView answer, const Profile&) { return mark_letter(leading_letter(answer), item); }

Mark official_mark(const Item& item, TextView answer, const Profile&) {
  const Text said = after_answer_is(answer);
  return right_or_wrong(!said.empty() && said == lower(item.golds[0]), said);
}

/// The answer is a part of "(A)"; the empty one, which is too, counts as wrong here.
Mark vlsi_mark(const Item& item, TextView answer, const Profile&) {
  if (answer.empty()) return {"", 0, false};
  return right_or_wrong(contains(U"(" + item.golds[0] + U")", answer), answer);
}

Rules by_prompt(const Rules& rules) {
  return asking_own_prompt(rules, "rows of nyu-visionx/CV-Bench, or VLMEvalKit's table with a column 'prompt'");
}

/// Half of the two-dimensional sources' mean and half of the three-dimensional one.
std::vector<Figure> joint_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> figures{figure_of_parts(
      "mean of 2D and 3D", verdicts, "source", {"ADE20K", "COCO", "Omni3D"},
      [](std::span<const Sums> parts) { return ((parts[0].mean() + parts[1].mean()) / 2 + parts[2].mean()) / 2; })};
  add_means_by({"source", "task"}, verdicts, figures);
  return figures;
}

/// The two tables have a figure each: the mean of the sources' means for the first.
std::vector<Figure> vlmevalkit_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> figures;
  for (const char* type : {"2D", "3D"}) {
    std::vector<Verdict> of_type;
    for (const auto& verdict : verdicts) {
      const auto split = tag_of(verdict.tags, "split");
      if ((split.empty() ? tag_of(verdict.tags, "type") : split) == type) of_type.push_back(verdict);
    }
    if (of_type.empty()) continue;
    figures.push_back(type == std::string_view("2D") ? figure_of_parts(type, of_type, "source", {}, mean_of_means)
                                                     : mean_figure(type, of_type));
  }
  if (figures.empty()) figures.push_back(mean_figure("accuracy", verdicts));
  add_means_by({"source", "category", "task"}, verdicts, figures);
  return figures;
}

std::vector<Figure> lmms_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> figures{mean_figure("accuracy", verdicts)};
  add_means_by({"source", "type", "task"}, verdicts, figures);
  return figures;
}

}  // namespace
}  // namespace vlsi::cv_bench

namespace vlsi {

std::unique_ptr<Benchmark> open_cv_bench(const BenchmarkSource& source) {
  using namespace cv_bench;
  static const BenchmarkRules rules{"cv-bench",
                                    read,
                                    usual_pictures,
                                    {by_prompt(vlmevalkit_choice(own_prompt, vlmevalkit_figures)),
                                     by_prompt({Community::kLmms, lmms_prompt, lmms_mark, lmms_figures}),
                                     by_prompt({Community::kOfficial, vlsi_prompt, official_mark, joint_figures}),
                                     by_prompt({Community::kVlsi, vlsi_prompt, vlsi_mark, joint_figures})}};
  return open_items(source, rules);
}

}  // namespace vlsi
