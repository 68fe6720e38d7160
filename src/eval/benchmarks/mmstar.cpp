// MMStar: 1,500 questions that need their picture, 250 of each of six capabilities.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/letters.h"
#include "eval/scoring/ranked_letter.h"

namespace vlsi::mmstar {
namespace {

constexpr double kQuestions = 1500, kQuestionsOfCapability = 250;

/// The tables of VLMEvalKit, and rows of Hugging Face, whose options are in the question.
Item read(const RowReader& row) { return read_choice(row, {"index"}); }

/// The options of a table's columns stand behind the question as they do in the hub's rows.
std::string lmms_prompt(const Item& item) {
  const Text question = to_text(item.question);
  return concat(to_utf8(replace(strip(question), U" Please answer yes or no.", U"")),
                options_are_apart(item) ? "\nOptions: " + listed_options(item, "", ": ", ", ") : "",
                "\nAnswer with the option's letter from the given choices directly");
}

std::string letter_prompt(const Item& item) {
  return options_are_apart(item) ? vlsi_choice_prompt(item) : concat(item.question, "\n", kAnswerWithLetter);
}

Mark lmms_mark(const Item& item, TextView answer, const Profile&) {
  return mark_letter(ranked_letter(answer, U"ABCD"), item);
}

Mark official_mark(const Item& item, TextView answer, const Profile&) {
  return right_or_wrong(mmstar_right(answer, item.golds[0]), answer);
}

/// The mean of the means of the 18 finer capabilities.
std::vector<Figure> lmms_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> figures{figure_of_parts("average", verdicts, "l2-category", {}, mean_of_means)};
  add_means_by({"category", "l2-category"}, verdicts, figures);
  return figures;
}

/// Right answers of all 1,500 questions, and of 250, however many were asked.
std::vector<Figure> official_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Unit> units;
  for (const auto& verdict : verdicts) units.push_back({{{0, verdict.score, 1}}});
  std::vector<Figure> figures{figure_of_units("final score", units, 1, std::ssize(verdicts),
                                              [](std::span<const Sums> parts) { return parts[0].sum / kQuestions; })};
  std::vector<Figure> means;
  add_means_by({"category"}, verdicts, means);
  for (auto& mean : means) {
    mean.value *= static_cast<double>(mean.count) / kQuestionsOfCapability;
    figures.push_back(mean);
  }
  add_means_by({"l2-category"}, verdicts, figures);
  return figures;
}

}  // namespace
}  // namespace vlsi::mmstar

namespace vlsi {

std::unique_ptr<Benchmark> open_mmstar(const BenchmarkSource& source) {
  using namespace mmstar;
  static const BenchmarkRules rules{"mmstar",
                                    read,
                                    usual_pictures,
                                    {vlmevalkit_choice(vlmevalkit_choice_prompt, accuracy_figures),
                                     {Community::kLmms, lmms_prompt, lmms_mark, lmms_figures},
                                     {Community::kOfficial, letter_prompt, official_mark, official_figures},
                                     {Community::kVlsi, letter_prompt, official_mark, official_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
