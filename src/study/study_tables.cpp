#include "study/study_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "base/text_table.h"
#include "eval/model_results.h"

namespace vlsi {
namespace {

using Cells = std::vector<std::vector<std::string>>;  // rows, the header first

/// A benchmark's score is the mean over its questions where the two agree; rounding alone keeps them apart.
bool is_mean_of(const QuestionScores& questions, double score) {
  double sum = 0;
  for (const auto& [id, value] : questions) sum += value;
  return !questions.empty() && std::abs(100 * sum / static_cast<double>(questions.size()) - score) < 1e-6;
}

/// The results of one variant that have the evaluation, by seed.
using BySeed = std::map<uint64_t, const VariantResult*>;

BySeed results_of(const std::string& variant, const std::string& evaluation, const std::vector<VariantResult>& all) {
  BySeed found;
  for (const auto& result : all) {
    if (result.variant == variant && result.evaluations.contains(evaluation)) {
      for (const uint64_t seed : result.seeds) found[seed] = &result;
    }
  }
  return found;
}

/// Ours with theirs of each seed that both have; two runs that several seeds share are one pair.
using Pairs = std::vector<std::pair<const VariantResult*, const VariantResult*>>;

Pairs pairs_of(const BySeed& ours, const BySeed& theirs) {
  Pairs pairs;
  for (const auto& [seed, result] : ours) {
    const auto other = theirs.find(seed);
    if (other == theirs.end()) continue;
    const std::pair pair(result, other->second);
    if (std::find(pairs.begin(), pairs.end(), pair) == pairs.end()) pairs.push_back(pair);
  }
  return pairs;
}

std::optional<Interval> questions_interval(const Pairs& pairs, const std::string& evaluation) {
  std::vector<QuestionScores> our_scores, their_scores;
  for (const auto& [ours, theirs] : pairs) {
    for (auto [of, scores] : {std::pair(ours, &our_scores), std::pair(theirs, &their_scores)}) {
      const auto& measured = of->evaluations.at(evaluation);
      if (!std::filesystem::exists(measured.folder / kPredictionsFile)) return std::nullopt;
      scores->push_back(read_question_scores(measured.folder));
      if (!is_mean_of(scores->back(), measured.score)) return std::nullopt;
    }
  }
  auto interval = interval_over_questions(our_scores, their_scores);
  if (interval) interval = Interval{100 * interval->low, 100 * interval->high};
  return interval;
}

std::optional<Difference> difference_of(const BySeed& ours, const BySeed& theirs, const std::string& evaluation) {
  const auto pairs = pairs_of(ours, theirs);
  std::vector<double> differences;
  for (const auto& [one, other] : pairs)
    differences.push_back(one->evaluations.at(evaluation).score - other->evaluations.at(evaluation).score);
  if (differences.empty()) return std::nullopt;
  return Difference{mean_and_deviation(differences), interval_of_mean(differences),
                    questions_interval(pairs, evaluation)};
}

StudyRow row_of(const VariantConfig& variant, const BySeed& results, const std::string& evaluation) {
  std::vector<double> scores, seconds, with_inputs, memory;
  std::map<std::string, std::vector<double>> categories;
  StudyRow row;
  std::set<const VariantResult*> seen;
  for (const auto& [seed, result] : results) {
    const auto& measured = result->evaluations.at(evaluation);
    row.scores[seed] = measured.score;
    if (!seen.insert(result).second) continue;
    scores.push_back(measured.score);
    for (const auto& [name, score] : measured.categories) categories[name].push_back(score);
    seconds.push_back(result->seconds);
    with_inputs.push_back(result->seconds_with_inputs);
    memory.push_back(static_cast<double>(result->peak_memory_bytes));
  }
  row.variant = variant.name;
  row.title = variant.title;
  row.score = mean_and_deviation(scores);
  for (const auto& [name, values] : categories) row.categories[name] = mean_and_deviation(values);
  row.seconds = mean_and_deviation(seconds);
  row.seconds_with_inputs = mean_and_deviation(with_inputs);
  row.peak_memory_bytes = mean_and_deviation(memory);
  return row;
}

std::vector<StudyComparison> comparisons_of(const StudyConfig& study, const std::string& evaluation,
                                            const std::vector<VariantResult>& results) {
  const auto title_of = [&](const std::string& name) {
    const auto& all = study.variants;
    return std::find_if(all.begin(), all.end(), [&](const auto& variant) { return variant.name == name; })->title;
  };
  std::vector<StudyComparison> found;
  for (const auto& [variant, minus] : study.compare) {
    const auto ours = results_of(variant, evaluation, results), theirs = results_of(minus, evaluation, results);
    const auto title = concat(title_of(variant), " minus ", title_of(minus));
    if (const auto difference = difference_of(ours, theirs, evaluation))
      found.push_back({variant, minus, title, *difference});
  }
  return found;
}

// ---- as text ----

std::string number(double value, int digits, bool signs = false) {
  char text[64];
  std::snprintf(text, sizeof text, signs ? "%+.*f" : "%.*f", digits, value);
  return text;
}

std::string spread(const MeanAndDeviation& value, int digits, double unit = 1) {
  const auto mean = number(value.mean / unit, digits);
  return value.deviation ? concat(mean, " ± ", number(*value.deviation / unit, digits)) : mean;
}

std::string range(const std::optional<Interval>& interval) {
  return interval ? concat(number(interval->low, 2, true), " to ", number(interval->high, 2, true)) : "-";
}

Cells score_cells(const StudyTable& table) {
  Cells cells{{table.evaluation, "all"}};
  cells[0].insert(cells[0].end(), table.categories.begin(), table.categories.end());
  for (const char* name : {"minutes", "with inputs", "MiB", "seeds"}) cells[0].emplace_back(name);
  for (const auto& row : table.rows) {
    auto& line = cells.emplace_back(std::vector{row.title, spread(row.score, 1)});
    for (const auto& name : table.categories) {
      const auto found = row.categories.find(name);
      line.push_back(found == row.categories.end() ? "-" : spread(found->second, 1));
    }
    line.push_back(spread(row.seconds, 1, 60));
    line.push_back(spread(row.seconds_with_inputs, 1, 60));
    line.push_back(spread(row.peak_memory_bytes, 0, 0x1p20));
    line.push_back(std::to_string(row.score.count));
  }
  return cells;
}

Cells difference_cells(const StudyTable& table) {
  Cells cells{{concat(table.evaluation, ", minus ", table.baseline), "difference", "95 % over seeds",
               "95 % over questions", "seeds"}};
  for (const auto& row : table.rows) {
    if (!row.difference) continue;
    const auto& of = *row.difference;
    cells.push_back({row.title, number(of.over_seeds.mean, 2, true), range(of.seeds_interval),
                     range(of.questions_interval), std::to_string(of.over_seeds.count)});
  }
  for (const auto& [variant, minus, title, of] : table.comparisons) {
    cells.push_back({title, number(of.over_seeds.mean, 2, true), range(of.seeds_interval), range(of.questions_interval),
                     std::to_string(of.over_seeds.count)});
  }
  return cells;
}

std::string aligned_text(const Cells& cells) {
  std::string text;
  for (const auto& line : aligned_lines(cells)) text += line + '\n';
  return text;
}

std::string markdown(const Cells& cells) {
  std::string text;
  for (size_t row = 0; row < cells.size(); ++row) {
    for (const auto& cell : cells[row]) {
      text += "| ";
      for (const char c : cell) text += c == '|' ? "\\|" : std::string(1, c);
      text += ' ';
    }
    text += "|\n";
    if (row > 0) continue;
    for (size_t i = 0; i < cells[0].size(); ++i) text += i == 0 ? "|---" : "|---:";
    text += "|\n";
  }
  return text;
}

OrderedJson json_of(const MeanAndDeviation& value) {
  return {{"mean", value.mean},
          {"deviation", value.deviation ? OrderedJson(*value.deviation) : OrderedJson(nullptr)},
          {"count", value.count}};
}

OrderedJson json_of(const std::optional<Interval>& interval) {
  return interval ? OrderedJson{interval->low, interval->high} : OrderedJson(nullptr);
}

OrderedJson json_of(const Difference& difference) {
  auto json = json_of(difference.over_seeds);
  json["seeds_interval"] = json_of(difference.seeds_interval);
  json["questions_interval"] = json_of(difference.questions_interval);
  return json;
}

OrderedJson json_of(const StudyRow& row) {
  OrderedJson categories = OrderedJson::object(), scores = OrderedJson::object();
  for (const auto& [name, score] : row.categories) categories[name] = json_of(score);
  for (const auto& [seed, score] : row.scores) scores[std::to_string(seed)] = score;
  return {{"variant", row.variant},
          {"title", row.title},
          {"score", json_of(row.score)},
          {"scores", std::move(scores)},
          {"categories", std::move(categories)},
          {"seconds", json_of(row.seconds)},
          {"seconds_with_inputs", json_of(row.seconds_with_inputs)},
          {"peak_memory_bytes", json_of(row.peak_memory_bytes)},
          {"difference", row.difference ? json_of(*row.difference) : OrderedJson(nullptr)}};
}

}  // namespace

std::vector<StudyTable> study_tables(const StudyConfig& study, const std::vector<VariantResult>& results) {
  std::vector<StudyTable> tables;
  for (const auto& evaluation : study.evaluate) {
    StudyTable table;
    table.evaluation = evaluation.name;
    std::set<std::string> categories;
    const auto baseline = results_of(study.baseline, evaluation.name, results);
    for (const auto& variant : study.variants) {
      const auto ours = results_of(variant.name, evaluation.name, results);
      if (variant.name == study.baseline) table.baseline = variant.title;
      if (ours.empty()) continue;
      auto row = row_of(variant, ours, evaluation.name);
      if (variant.name != study.baseline) row.difference = difference_of(ours, baseline, evaluation.name);
      for (const auto& [name, score] : row.categories) categories.insert(name);
      table.rows.push_back(std::move(row));
    }
    table.comparisons = comparisons_of(study, evaluation.name, results);
    table.categories.assign(categories.begin(), categories.end());
    if (!table.rows.empty()) tables.push_back(std::move(table));
  }
  return tables;
}

OrderedJson to_json(const std::vector<StudyTable>& tables) {
  OrderedJson all = OrderedJson::array();
  for (const auto& table : tables) {
    OrderedJson rows = OrderedJson::array(), comparisons = OrderedJson::array();
    for (const auto& row : table.rows) rows.push_back(json_of(row));
    for (const auto& [variant, minus, title, difference] : table.comparisons) {
      comparisons.push_back(
          {{"variant", variant}, {"minus", minus}, {"title", title}, {"difference", json_of(difference)}});
    }
    all.push_back({{"evaluation", table.evaluation},
                   {"baseline", table.baseline},
                   {"categories", table.categories},
                   {"rows", std::move(rows)},
                   {"comparisons", std::move(comparisons)}});
  }
  return all;
}

std::string to_text(const std::vector<StudyTable>& tables, StudyFormat format) {
  if (format == StudyFormat::kJson) return to_json(tables).dump(2) + "\n";
  std::string text;
  for (const auto& table : tables) {
    for (const auto& cells : {score_cells(table), difference_cells(table)}) {
      if (cells.size() < 2) continue;
      text += concat(text.empty() ? "" : "\n", format == StudyFormat::kText ? aligned_text(cells) : markdown(cells));
    }
  }
  return text;
}

}  // namespace vlsi
