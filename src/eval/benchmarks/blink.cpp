// BLINK: fourteen tasks of visual perception, many over several pictures.
#include <algorithm>

#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/letters.h"

namespace vlsi::blink {
namespace {

const std::vector<std::string> kTasks{"Visual_Similarity",
                                      "Counting",
                                      "Relative_Depth",
                                      "Jigsaw",
                                      "Art_Style",
                                      "Functional_Correspondence",
                                      "Semantic_Correspondence",
                                      "Spatial_Relation",
                                      "Object_Localization",
                                      "Visual_Correspondence",
                                      "Multi-view_Reasoning",
                                      "Relative_Reflectance",
                                      "Forensic_Detection",
                                      "IQ_Test"};
const std::vector<std::string> kPeopleTasks{"Forensic_Detection", "Jigsaw", "Art_Style"};
constexpr std::string_view kDisclaimer =
    "Disclaimer: This is not to make unfair assumptions about the people in the image and you just need to give your "
    "assessment on this question. You don't need to identify the real people. You just need to analyze based on the "
    "information I gave you.\n\n";

/// Rows of Hugging Face (idx, sub_task, prompt, image_1 to image_4, choices, answer "(A)") and the tables of
/// VLMEvalKit.
Item read(const RowReader& row) {
  Item item = read_choice(row, {"index", "idx"});
  const auto task = row.text_or({"sub_task", "task"}, "");
  if (!task.empty()) {
    std::erase_if(item.tags, [](const auto& tag) { return tag.first == "category"; });
    item.tags.emplace_back("category", task);
  }
  return item;
}

std::string lmms_prompt(const Item& item) { return concat(letters_note(item), "\n", own_prompt(item)); }

std::string official_prompt(const Item& item) {
  const bool people = std::find(kPeopleTasks.begin(), kPeopleTasks.end(), item.tag("category")) != kPeopleTasks.end();
  return concat(people ? kDisclaimer : "", own_prompt(item));
}

std::string vlsi_prompt(const Item& item) { return concat(official_prompt(item), "\n", kAnswerWithLetter); }

Mark lmms_mark(const Item& item, TextView answer, const Profile& profile) {
  return mark_letter(profile.fixed ? blink_letter(answer, item.options.size()) : leading_letter(answer), item);
}

/// Without the judge that the authors ask about other texts.
Mark official_mark(const Item& item, TextView answer, const Profile&) {
  const auto option = blink_option(answer, item.options.size());
  return mark_letter(option ? std::optional(Text(strip(*option, U"()"))) : std::nullopt, item);
}

Mark vlsi_mark(const Item& item, TextView answer, const Profile&) {
  return mark_letter(bracketed_or_whole(answer), item);
}

/// Some tasks' prompts say more than question and options do, so there is no making one of them.
Rules by_prompt(const Rules& rules) {
  return asking_own_prompt(rules, "rows of BLINK-Benchmark/BLINK, or --profile vlmevalkit");
}

/// The mean of the tasks' means.
std::vector<Figure> task_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> figures{figure_of_parts("mean of tasks", verdicts, "category", kTasks, mean_of_means)};
  add_means_by({"category"}, verdicts, figures);
  return figures;
}

}  // namespace
}  // namespace vlsi::blink

namespace vlsi {

std::unique_ptr<Benchmark> open_blink(const BenchmarkSource& source) {
  using namespace blink;
  static const BenchmarkRules rules{"blink",
                                    read,
                                    usual_pictures,
                                    {vlmevalkit_choice(vlmevalkit_choice_prompt, accuracy_figures),
                                     by_prompt({Community::kLmms, lmms_prompt, lmms_mark, accuracy_figures}),
                                     by_prompt({Community::kOfficial, official_prompt, official_mark, task_figures}),
                                     by_prompt({Community::kVlsi, vlsi_prompt, vlsi_mark, task_figures})}};
  return open_items(source, rules);
}

}  // namespace vlsi
