// The numbers that a benchmark reports, with their intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eval/benchmark.h"
#include "eval/interval.h"

namespace vlsi {

struct Figure {
  std::string name;
  double value;   // shares in per cent
  int64_t count;  // of answers
  std::optional<Interval> interval = {};
};

/// The mean score in per cent, by questions, with its interval.
Figure mean_figure(const std::string& name, const std::vector<Verdict>& verdicts);

/// A score of these units in per cent, with its interval; `score` gives a share. `count`: of answers.
Figure figure_of_units(const std::string& name, std::span<const Unit> units, size_t num_parts, int64_t count,
                       const ScoreOfParts& score);

/// A score that is a function of means over the values of a tag (tasks, sources): one part for each of `values`, in
/// their order; without `values` for each that there is, in alphabetical order. `score` has shares, and its result is
/// reported in per cent.
Figure figure_of_parts(const std::string& name, const std::vector<Verdict>& verdicts, std::string_view tag,
                       const std::vector<std::string>& values, const ScoreOfParts& score);

/// The mean of the parts' means; of those that have answers.
double mean_of_means(std::span<const Sums> parts);

/// The mean for every value of each of the tags; verdicts without the tag are left out.
void add_means_by(const std::vector<std::string_view>& tags, const std::vector<Verdict>& verdicts,
                  std::vector<Figure>& figures);

/// mean_figure and add_means_by of split, l2-category and category.
std::vector<Figure> accuracy_figures(const std::vector<Verdict>& verdicts);

/// Of groups that are right where all of their members are.
Figure share_of_groups(const std::string& name, const std::vector<std::pair<std::string, bool>>& members);

struct SummaryHead {
  std::string benchmark, profile;
  int64_t num_unparsed = 0, num_not_scored = 0;
  int64_t num_unknown = 0;        // of those that are not scored: whose right answer is not known
  bool may_ask_judge = false;     // whether the profile asks one
  std::string judge = {};         // its model; empty where there was none
  std::string judge_prompt = {};  // the fingerprint of what it was asked
  int64_t num_judged = 0;         // answers that it was asked about
};

/// As results.json has it, and as lines. Without figures (nothing could be scored) the text says so.
Summary make_summary(const SummaryHead& head, const std::vector<Figure>& figures, int64_t total);

}  // namespace vlsi
