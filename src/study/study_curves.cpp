#include "study/study_curves.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

#include "report/curve.h"
#include "report/metric_line.h"
#include "report/run_data.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kMostStretches = 60;

using CurveName = std::pair<std::string, std::string>;   // step and key
using Points = std::vector<std::pair<int64_t, double>>;  // iterations and values

std::map<CurveName, Points> points_of(const fs::path& run) {
  static const std::set<std::string> left_out{
      "seconds",       "tokens",          "answer_tokens",        "learning_rate",
      "gradient_norm", "validation_loss", "validation_loss_words"};
  std::map<CurveName, Points> all;
  std::ifstream file(run / kRunMetricsFile);
  MetricLineParser parser;
  std::string problem;
  for (std::string line; std::getline(file, line);) {
    const auto metrics = parser.parse(line, problem);
    if (!metrics) continue;
    for (const auto& [key, value] : metrics->numbers) {
      if (value && !left_out.contains(key)) all[{metrics->step, key}].emplace_back(metrics->iteration, *value);
    }
  }
  return all;
}

/// Means over stretches of `width` iterations, by the number of the stretch.
std::map<int64_t, double> means_of(const Points& points, int64_t width) {
  std::map<int64_t, Sums> sums;
  for (const auto& [iteration, value] : points) {
    auto& of = sums[(iteration - 1) / width];
    of.sum += value;
    of.count += 1;
  }
  std::map<int64_t, double> means;
  for (const auto& [stretch, of] : sums) means[stretch] = of.mean();
  return means;
}

/// One variant's curve, of the runs of its seeds.
OrderedJson line_json(const VariantConfig& variant, const std::vector<Points>& runs) {
  int64_t last = 1;
  for (const auto& points : runs) {
    for (const auto& [iteration, value] : points) last = std::max(last, iteration);
  }
  const int64_t width = (last + kMostStretches - 1) / kMostStretches;
  std::map<int64_t, std::vector<double>> by_stretch;
  for (const auto& points : runs) {
    for (const auto& [stretch, mean] : means_of(points, width)) by_stretch[stretch].push_back(mean);
  }
  OrderedJson x = OrderedJson::array(), mean = x, low = x, high = x;
  for (const auto& [stretch, values] : by_stretch) {
    const auto of = mean_and_deviation(values);
    x.push_back(std::min((stretch + 1) * width, last));
    mean.push_back(shortened(of.mean));
    low.push_back(of.deviation ? OrderedJson(shortened(of.mean - *of.deviation)) : OrderedJson(nullptr));
    high.push_back(of.deviation ? OrderedJson(shortened(of.mean + *of.deviation)) : OrderedJson(nullptr));
  }
  return {{"variant", variant.name}, {"title", variant.title}, {"x", std::move(x)},
          {"mean", std::move(mean)}, {"low", std::move(low)},  {"high", std::move(high)}};
}

/// Sums of what a student layer has of each teacher layer, in both halves of the interaction.
struct HalfMatches {
  std::vector<int64_t> student_layers, teacher_layers;
  std::vector<std::vector<double>> halves[2];

  /// Error-free: another shape (other layers) is left out.
  void add(const Json& matching) {
    const auto students = matching["student_layers"].get<std::vector<int64_t>>(),
               teachers = matching["teacher_layers"].get<std::vector<int64_t>>();
    if (student_layers.empty()) {
      student_layers = students;
      teacher_layers = teachers;
      for (auto& half : halves) half.assign(students.size(), std::vector<double>(teachers.size()));
    }
    if (students != student_layers || teachers != teacher_layers) return;
    const auto& stretches = matching["stretches"];
    const auto last = stretches.back()["last"].get<int64_t>();
    for (const auto& stretch : stretches) {
      const auto middle = stretch["first"].get<int64_t>() + stretch["last"].get<int64_t>();  // twice
      const auto& shares = stretch["weights"].is_null() ? stretch["counts"] : stretch["weights"];
      auto& half = halves[middle > last ? 1 : 0];
      for (size_t s = 0; s < students.size(); ++s) {
        for (size_t t = 0; t < teachers.size(); ++t) {
          if (shares[s][t].is_number()) half[s][t] += shares[s][t].get<double>();
        }
      }
    }
  }

  OrderedJson shares(int number) const {
    OrderedJson rows = OrderedJson::array();
    for (const auto& row : halves[number]) {
      double sum = 0;
      for (const double value : row) sum += value;
      auto& json = rows.emplace_back(OrderedJson::array());
      for (const double value : row) json.push_back(shortened(sum > 0 ? value / sum : 0));
    }
    return rows;
  }
};

}  // namespace

OrderedJson study_curves(const StudyConfig& study, const std::vector<VariantResult>& results) {
  std::map<CurveName, std::map<std::string, std::vector<Points>>> all;  // by variant
  for (const auto& result : results) {
    for (auto& [name, points] : points_of(result.folder)) all[name][result.variant].push_back(std::move(points));
  }
  OrderedJson curves = OrderedJson::array();
  for (const auto& [name, by_variant] : all) {
    OrderedJson lines = OrderedJson::array();
    for (const auto& variant : study.variants) {
      const auto found = by_variant.find(variant.name);
      if (found != by_variant.end()) lines.push_back(line_json(variant, found->second));
    }
    curves.push_back({{"step", name.first}, {"key", name.second}, {"lines", std::move(lines)}});
  }
  return curves;
}

OrderedJson study_matches(const StudyConfig& study, const std::vector<VariantResult>& results) {
  OrderedJson all = OrderedJson::array();
  for (const auto& variant : study.variants) {
    HalfMatches matches;
    for (const auto& result : results) {
      if (result.variant != variant.name || !fs::exists(result.folder / kRunMetricsFile)) continue;
      const Json matching = RunData(result.folder).to_json()["matching"];
      if (!matching.is_null()) matches.add(matching);
    }
    if (matches.student_layers.empty()) continue;
    all.push_back({{"variant", variant.name},
                   {"title", variant.title},
                   {"student_layers", matches.student_layers},
                   {"teacher_layers", matches.teacher_layers},
                   {"early", matches.shares(0)},
                   {"late", matches.shares(1)}});
  }
  return all;
}

}  // namespace vlsi
