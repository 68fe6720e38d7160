#include "eval/figures.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <unordered_map>

#include "eval/item.h"

namespace vlsi {
namespace {

/// One unit for every name that is given, in the order of their first terms.
class Units {
 public:
  void add(const std::string& name, Unit::Term term) {
    if (name.empty()) {
      units_.push_back({{term}});
      return;
    }
    const auto [place, is_new] = places_.try_emplace(name, units_.size());
    if (is_new) units_.emplace_back();
    units_[place->second].terms.push_back(term);
  }
  std::vector<Unit>& units() {
    for (auto& unit : units_) std::sort(unit.terms.begin(), unit.terms.end());
    return units_;
  }

 private:
  std::vector<Unit> units_;
  std::map<std::string, size_t> places_;
};

double first_mean(std::span<const Sums> parts) { return parts[0].mean(); }

std::string number_line(const std::string& name, const Figure& figure) {
  char line[256];
  std::snprintf(line, sizeof line, "%-40.100s %8.2f", name.c_str(), figure.value);
  std::string text = line;
  if (figure.interval) {
    std::snprintf(line, sizeof line, "  [%.2f, %.2f]", figure.interval->low, figure.interval->high);
    text += line;
  }
  return text + concat("  ", figure.count, figure.count == 1 ? " answer" : " answers");
}

}  // namespace

Figure figure_of_units(const std::string& name, std::span<const Unit> units, size_t num_parts, int64_t count,
                       const ScoreOfParts& score) {
  const ScoreOfParts per_cent = [&](std::span<const Sums> parts) { return 100 * score(parts); };
  return {name, total_score(units, num_parts, per_cent), count, bootstrap_interval(units, num_parts, per_cent)};
}

Figure mean_figure(const std::string& name, const std::vector<Verdict>& verdicts) {
  Units units;
  for (const auto& verdict : verdicts) units.add(verdict.unit, {0, verdict.score, 1});
  return figure_of_units(name, units.units(), 1, std::ssize(verdicts), first_mean);
}

Figure figure_of_parts(const std::string& name, const std::vector<Verdict>& verdicts, std::string_view tag,
                       const std::vector<std::string>& values, const ScoreOfParts& score) {
  std::vector<std::string> names = values;
  if (names.empty()) {
    std::set<std::string_view> found;
    for (const auto& verdict : verdicts) found.insert(tag_of(verdict.tags, tag));
    names.assign(found.begin(), found.end());
  }
  Units units;
  int64_t count = 0;
  for (const auto& verdict : verdicts) {
    const auto part = std::find(names.begin(), names.end(), tag_of(verdict.tags, tag));
    if (part == names.end()) continue;
    units.add(verdict.unit, {static_cast<int32_t>(part - names.begin()), verdict.score, 1});
    ++count;
  }
  return figure_of_units(name, units.units(), names.size(), count, score);
}

double mean_of_means(std::span<const Sums> parts) {
  double sum = 0, count = 0;
  for (const auto& part : parts) {
    sum += part.mean();
    count += part.count > 0;
  }
  return count == 0 ? 0 : sum / count;
}

void add_means_by(const std::vector<std::string_view>& tags, const std::vector<Verdict>& verdicts,
                  std::vector<Figure>& figures) {
  for (const auto tag : tags) {
    std::unordered_map<std::string_view, Sums> sums;
    for (const auto& verdict : verdicts) {
      for (const auto& [key, value] : verdict.tags) {
        if (key != tag || value.empty()) continue;
        auto& sum = sums[value];
        sum.sum += verdict.score;
        ++sum.count;
      }
    }
    for (const auto& [value, sum] : std::map<std::string_view, Sums>(sums.begin(), sums.end())) {
      figures.push_back({concat(tag, ' ', value), 100 * sum.mean(), static_cast<int64_t>(sum.count)});
    }
  }
}

std::vector<Figure> accuracy_figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> figures{mean_figure("accuracy", verdicts)};
  add_means_by({"split", "l2-category", "category"}, verdicts, figures);
  return figures;
}

Figure share_of_groups(const std::string& name, const std::vector<std::pair<std::string, bool>>& members) {
  std::map<std::string, bool> groups;
  for (const auto& [group, right] : members) {
    const auto [place, is_new] = groups.try_emplace(group, right);
    place->second = place->second && right;
  }
  std::vector<Unit> units;
  for (const auto& [group, right] : groups) units.push_back({{{0, right ? 1.0 : 0.0, 1}}});
  return figure_of_units(name, units, 1, std::ssize(units), first_mean);
}

Summary make_summary(const SummaryHead& head, const std::vector<Figure>& figures, int64_t total) {
  OrderedJson json{{"profile", head.profile}, {"total", total}};
  json["unparsed"] = head.num_unparsed;
  if (head.num_not_scored > 0) json["not_scored"] = head.num_not_scored;
  const bool was_asked = !head.judge.empty();
  if (was_asked) {
    json["judge"] = {{"model", head.judge}, {"prompt", head.judge_prompt}, {"asked", head.num_judged}};
  } else if (head.may_ask_judge) {
    json["judge"] = nullptr;
  }
  const auto title = concat(head.benchmark, " (", head.profile, was_asked ? ", judge " + head.judge : "", ")");
  std::string text;
  if (figures.empty()) {
    const char* why = head.num_unknown == total ? "no answer is known"
                      : was_asked               ? "the judge gave no score"
                                                : "only a judge can tell";
    text = concat(title, "  not scored: ", why, ", ", total, total == 1 ? " answer\n" : " answers\n");
    return {text, json};
  }
  json["score"] = figures[0].value;
  json["accuracy"] = figures[0].value / 100;
  if (figures[0].interval) json["interval"] = {figures[0].interval->low, figures[0].interval->high};
  OrderedJson categories = OrderedJson::object();
  for (size_t i = 1; i < figures.size(); ++i) {
    categories[figures[i].name] = {
        {"score", figures[i].value}, {"accuracy", figures[i].value / 100}, {"total", figures[i].count}};
    if (figures[i].interval)
      categories[figures[i].name]["interval"] = {figures[i].interval->low, figures[i].interval->high};
  }
  json["categories"] = categories;
  text = number_line(concat(title, " ", figures[0].name), figures[0]);
  if (head.num_unparsed > 0) text += concat(", ", head.num_unparsed, " unparsed");
  if (head.num_unparsed > 0 && head.may_ask_judge && !was_asked) text += " without a judge";
  if (head.num_unknown > 0) text += concat(", ", head.num_unknown, " without a known answer");
  if (const int64_t others = head.num_not_scored - head.num_unknown; others > 0) {
    text += concat(", ", others, was_asked ? " not judged" : " not scored");
  }
  text += "\n";
  for (size_t i = 1; i < figures.size(); ++i) text += "  " + number_line(figures[i].name, figures[i]) + "\n";
  return {text, json};
}

}  // namespace vlsi
