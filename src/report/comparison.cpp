#include "report/comparison.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/mean_and_deviation.h"
#include "report/curve.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

fs::path resolved(const fs::path& path) {
  std::error_code ignored;
  auto result = fs::weakly_canonical(path, ignored);
  if (result.empty()) result = path.lexically_normal();
  return result.has_filename() ? result : result.parent_path();
}

/// Settings in which runs of one experiment may differ: where things are, the seed, and the machine.
bool says_where(const std::string& key) {
  static const std::set<std::string> kNames{"out",   "seed",       "model",  "verbalizers", "cache",
                                            "train", "validation", "device", "threads",     "workers"};
  const auto name = key.substr(key.rfind('.') + 1);
  // `interact.train` and `finetune.train` name the parts that learn.
  if (name == "train") return key.find("data.") != key.npos;
  return kNames.contains(name);
}

std::string experiment_of(const RunSettings& settings) {
  std::string text;
  for (const auto& [key, value, unused] : settings.differences) {
    if (!says_where(key)) text += key + "=" + value + "\n";
  }
  return text;
}

std::string label_of(const std::vector<const RunData*>& runs, size_t index) {
  const auto result = resolved(runs[index]->directory() / "model");
  for (const auto* other : runs) {
    const auto& teacher = other->settings().config.teacher.model;
    if (!teacher.empty() && resolved(teacher) == result) return "teacher";
  }
  for (const auto* other : runs) {
    const auto& student = other->settings().config.student.model;
    if (!student.empty() && resolved(student) == result) return "student before";
  }
  const auto& method = runs[index]->settings().method;
  return method.empty() ? "run" : method;
}

class Statistics {
 public:
  void add(double value) { values_.push_back(value); }
  OrderedJson to_json() const {
    if (values_.empty()) return nullptr;
    const auto [mean, deviation, count] = mean_and_deviation(values_);
    return {{"mean", shortened(mean)},
            {"deviation", deviation ? OrderedJson(shortened(*deviation)) : OrderedJson(nullptr)},
            {"count", count}};
  }

 private:
  std::vector<double> values_;
};

struct Row {
  std::string label;
  std::vector<size_t> runs;
  Statistics score, seconds, memory, validation_loss;
  OrderedJson evaluated = nullptr;  // the first evaluation of the first run that has one: others of the same name count
  OrderedJson full = nullptr;       // the best possible score
  std::map<std::string, Statistics> categories;

  void add(size_t index, const OrderedJson& run) {
    runs.push_back(index);
    double spent = 0;
    for (const auto& step : run["steps"]) {
      spent += step["seconds"].get<double>();
    }
    if (!run["steps"].empty()) {
      seconds.add(spent);
      const auto& validation = run["steps"].back()["validation"];
      if (!validation.is_null() && validation["validation_loss"].is_number())
        validation_loss.add(validation["validation_loss"].get<double>());
    }
    const auto& summary = run["summary"];
    if (!summary.is_null() && summary["peak_memory_bytes"].is_number())
      memory.add(summary["peak_memory_bytes"].get<double>());
    const auto& all = run["evaluations"];
    if (evaluated.is_null() && !all.empty()) evaluated = all.front();
    const auto found = std::find_if(all.begin(), all.end(), [&](const OrderedJson& one) {
      return one["name"] == evaluated["name"] && one["benchmark"] == evaluated["benchmark"];
    });
    if (found == all.end()) return;
    const auto& evaluation = *found;
    full = evaluation["full"];
    if (evaluation["score"].is_number()) score.add(evaluation["score"].get<double>());
    for (const auto& [category, value] : evaluation["categories"].items()) {
      if (value.is_number()) categories[category].add(value.get<double>());
    }
  }
};

}  // namespace

OrderedJson compare_runs(const std::vector<const RunData*>& data, const OrderedJson& runs) {
  std::vector<Row> rows;
  std::map<std::pair<std::string, std::string>, size_t> row_of;
  std::map<std::string, int> num_rows;  // of each label
  for (size_t i = 0; i < data.size(); ++i) {
    const auto label = label_of(data, i);
    const auto [found, is_new] = row_of.try_emplace({label, experiment_of(data[i]->settings())}, rows.size());
    if (is_new) {
      rows.push_back({});
      rows.back().label = label;
      ++num_rows[label];
    }
    rows[found->second].add(i, runs[i]);
  }
  OrderedJson table = OrderedJson::array();
  for (const auto& row : rows) {
    // Several experiments by one method are told apart by their first run's name.
    const auto label = num_rows[row.label] > 1
                           ? row.label + " (" + runs[row.runs.front()]["name"].get<std::string>() + ")"
                           : row.label;
    OrderedJson categories = OrderedJson::object();
    for (const auto& [category, statistics] : row.categories) categories[category] = statistics.to_json();
    table.push_back({{"label", label},
                     {"runs", row.runs},
                     {"score", row.score.to_json()},
                     {"full", row.full},
                     {"categories", std::move(categories)},
                     {"seconds", row.seconds.to_json()},
                     {"peak_memory_bytes", row.memory.to_json()},
                     {"validation_loss", row.validation_loss.to_json()}});
  }
  return table;
}

}  // namespace vlsi
