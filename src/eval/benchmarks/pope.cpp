// POPE: whether an object is in a picture, with objects drawn at random, by popularity, and to mislead.
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/benchmarks/yes_no_mark.h"
#include "eval/scoring/pope_sums.h"
#include "eval/scoring/yes_no.h"

namespace vlsi::pope {
namespace {

constexpr const char* kNamedSplits[] = {"random", "popular", "adversarial"};
/// And what a file is that names none of them.
constexpr const char* kSplits[] = {"random", "popular", "adversarial", "all"};

/// The tables of VLMEvalKit (category may name several splits, between commas), lmms-eval's set, and the authors' three
/// JSONL files (text, label; the split is in the file's name).
Item read(const RowReader& row) {
  Item item;
  item.question = row.text({"question", "text"});
  item.golds = {yes_no_gold(row, {"answer", "label"})};
  std::string splits = row.text_or({"category"}, "");
  if (splits.empty()) {
    const auto file = row.rows.file(row.number);
    for (const char* split : kNamedSplits) {
      if (file.find(split) != file.npos) splits = split;
    }
    if (splits.empty()) splits = "all";
  }
  const Text names = to_text(splits);
  for (const auto name : split(names, U",")) {
    if (!name.empty()) item.tags.emplace_back("category", to_utf8(strip(name)));
  }
  item.tags.emplace_back("gold", to_utf8(item.golds[0]));
  item.id = row.find({"index"}) != nullptr ? row.text({"index"}) : concat(splits, "/", id_of(row, {"question_id"}));
  return item;
}

std::string vlmevalkit_prompt(const Item& item) { return item.question + " Please answer yes or no."; }

YesNo vlsi_rule(TextView answer) { return yes_no_of_pope(lower(answer)); }

/// The parts of a score: true yes, false yes, false no, true no.
constexpr int32_t kParts = 4;

PopeSums sums_of(std::span<const Sums> parts) { return {parts[0].sum, parts[1].sum, parts[2].sum, parts[3].sum}; }

/// Whether what the rule could not read is a no, or in none of the parts.
enum class Unread { kNo, kNowhere };

/// A question of several splits once for each of them.
std::vector<Verdict> by_splits(const std::vector<Verdict>& verdicts) {
  std::vector<Verdict> all;
  for (const auto& verdict : verdicts) {
    for (const auto& tag : verdict.tags) {
      if (tag.first != "category") continue;
      auto& one = all.emplace_back(verdict);
      one.tags = {tag, {"gold", std::string(tag_of(verdict.tags, "gold"))}};
    }
  }
  return all;
}

/// The verdicts of a split (of all for an empty name). The parts of split `index` are the 4 from 4 * index on.
void add_units(const std::vector<Verdict>& verdicts, std::string_view split, Unread unread, int32_t index,
               std::vector<Unit>& units) {
  for (const auto& verdict : verdicts) {
    const bool gold = tag_of(verdict.tags, "gold") == "yes", said_yes = verdict.said == "yes";
    if (!verdict.parsed && unread == Unread::kNowhere) continue;
    const int32_t part = gold ? (said_yes ? 0 : 2) : (said_yes ? 1 : 3);
    if (split.empty() || tag_of(verdict.tags, "category") == split) units.push_back({{{index * kParts + part, 1, 1}}});
  }
}

using Score = double (PopeSums::*)() const;

Figure figure(const std::string& name, const std::vector<Verdict>& verdicts, std::string_view split, Unread unread,
              Score score) {
  std::vector<Unit> units;
  add_units(verdicts, split, unread, 0, units);
  return figure_of_units(name, units, kParts, std::ssize(units),
                         [&](std::span<const Sums> parts) { return (sums_of(parts).*score)(); });
}

/// The mean of a score over the splits that there are.
Figure mean_over_splits(const std::string& name, const std::vector<Verdict>& verdicts, Score score) {
  std::vector<Unit> units;
  for (int32_t i = 0; i < std::ssize(kSplits); ++i) add_units(verdicts, kSplits[i], Unread::kNo, i, units);
  return figure_of_units(name, units, kParts * std::size(kSplits), std::ssize(units), [&](std::span<const Sums> parts) {
    double sum = 0, count = 0;
    for (size_t i = 0; i < std::size(kSplits); ++i) {
      const auto sums = sums_of(parts.subspan(i * kParts, kParts));
      if (sums.total() == 0) continue;
      sum += (sums.*score)();
      ++count;
    }
    return count == 0 ? 0 : sum / count;
  });
}

/// F1 first: the score that VLMEvalKit calls overall. What it could not read is a no there, and wrong in the accuracy.
std::vector<Figure> vlmevalkit_figures(const std::vector<Verdict>& of_questions) {
  const auto verdicts = by_splits(of_questions);
  std::vector<Figure> figures{figure("F1", verdicts, "", Unread::kNo, &PopeSums::f1), mean_figure("accuracy", verdicts),
                              figure("precision", verdicts, "", Unread::kNo, &PopeSums::precision),
                              figure("recall", verdicts, "", Unread::kNo, &PopeSums::recall)};
  for (const char* split : kSplits) {
    figures.push_back(figure(concat("F1 ", split), verdicts, split, Unread::kNo, &PopeSums::f1));
    if (figures.back().count == 0) figures.pop_back();
  }
  add_means_by({"category"}, verdicts, figures);
  return figures;
}

std::vector<Figure> lmms_figures(const std::vector<Verdict>& of_questions) {
  const auto verdicts = by_splits(of_questions);
  std::vector<Figure> figures{mean_figure("accuracy", of_questions),
                              figure("precision", verdicts, "", Unread::kNowhere, &PopeSums::precision),
                              figure("recall", verdicts, "", Unread::kNowhere, &PopeSums::recall),
                              figure("F1", verdicts, "", Unread::kNowhere, &PopeSums::f1)};
  std::vector<Verdict> golds = of_questions;  // the yes ratio of lmms-eval is that of the right answers
  for (auto& verdict : golds) verdict.score = tag_of(verdict.tags, "gold") == "yes" ? 1 : 0;
  figures.push_back(mean_figure("yes ratio of the gold", golds));
  return figures;
}

std::vector<Figure> official_figures(const std::vector<Verdict>& of_questions) {
  const auto verdicts = by_splits(of_questions);
  std::vector<Figure> figures{mean_over_splits("mean F1", verdicts, &PopeSums::f1)};
  for (const std::string split : kSplits) {
    figures.push_back(figure("accuracy " + split, verdicts, split, Unread::kNo, &PopeSums::accuracy));
    figures.push_back(figure("precision " + split, verdicts, split, Unread::kNo, &PopeSums::precision));
    figures.push_back(figure("recall " + split, verdicts, split, Unread::kNo, &PopeSums::recall));
    figures.push_back(figure("F1 " + split, verdicts, split, Unread::kNo, &PopeSums::f1));
    figures.push_back(figure("yes ratio " + split, verdicts, split, Unread::kNo, &PopeSums::yes_ratio));
  }
  std::erase_if(figures, [](const Figure& one) { return one.count == 0; });
  return figures;
}

std::vector<Figure> vlsi_figures(const std::vector<Verdict>& of_questions) {
  const auto verdicts = by_splits(of_questions);
  std::vector<Figure> figures{mean_over_splits("mean accuracy", verdicts, &PopeSums::accuracy)};
  add_means_by({"category"}, verdicts, figures);
  return figures;
}

}  // namespace
}  // namespace vlsi::pope

namespace vlsi {

std::unique_ptr<Benchmark> open_pope(const BenchmarkSource& source) {
  using namespace pope;
  static const BenchmarkRules rules{
      "pope",
      read,
      usual_pictures,
      {{Community::kVlmEvalKit, vlmevalkit_prompt, mark_yes_no<yes_no_by_words>, vlmevalkit_figures, false,
        &kYesNoJudge},
       {Community::kLmms, word_prompt, mark_yes_no<yes_no_exactly>, lmms_figures},
       {Community::kOfficial, bare_question, mark_yes_no<yes_no_of_pope>, official_figures},
       {Community::kVlsi, word_prompt, mark_yes_no<vlsi_rule>, vlsi_figures}}};
  return open_items(source, rules);
}

}  // namespace vlsi
