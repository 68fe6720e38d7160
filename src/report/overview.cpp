#include "report/overview.h"

#include <algorithm>
#include <set>

#include "base/contains.h"
#include "eval/benchmark.h"
#include "eval/model_results.h"
#include "eval/paper_tables.h"

namespace vlsi {
namespace {

constexpr const char* kTables[] = {"3b", "1", "2", "3a"};  // a model's score is that of the first table that has it
constexpr int64_t kMmePoints = 2800;                       // 14 tasks of 200

/// The models of the paper's own overview, beside which others are seen.
bool is_in_figure(const std::string& model) {
  constexpr std::string_view kModels[] = {"VLsI-2B", "VLsI-7B", "GPT-4V (0409)", "Claude3.5-Sonnet", "Gemini-1.5-Pro"};
  return contains(kModels, model);
}

OrderedJson number_or_null(const std::optional<double>& value) {
  return value ? OrderedJson(*value) : OrderedJson(nullptr);
}

std::vector<ModelResults> paper_models() {
  std::vector<ModelResults> models;
  for (const char* name : kTables) {
    const auto& table = *find_paper_table(name);
    for (const auto& row : table.rows) {
      auto model = std::find_if(models.begin(), models.end(), [&](const auto& one) { return one.name == row.model; });
      if (model == models.end()) model = models.insert(models.end(), {row.model, row.billions, {}});
      for (size_t i = 0; i < row.scores.size(); ++i) {
        if (row.scores[i]) model->of.try_emplace(table.benchmarks[i], BenchmarkResult{*row.scores[i], ""});
      }
    }
  }
  return models;
}

/// Those that one of the models has a score of: the paper's first, as it has them.
std::vector<std::string> benchmarks_of(const std::vector<ModelResults>& models) {
  std::vector<std::string> all;
  const auto add = [&](const std::string& name) {
    const auto has = [&](const auto& model) { return model.of.contains(name); };
    if (!contains(all, name) && std::any_of(models.begin(), models.end(), has)) {
      all.push_back(name);
    }
  };
  for (const char* table : kTables) {
    for (const auto& name : find_paper_table(table)->benchmarks) add(name);
  }
  for (const auto& benchmark : benchmarks()) add(benchmark.name);
  return all;
}

OrderedJson model_json(const ModelResults& model, const std::vector<std::string>& names, bool is_paper) {
  OrderedJson scores = OrderedJson::object(), profiles = OrderedJson::object();
  for (const auto& name : names) {
    const auto found = model.of.find(name);
    if (found == model.of.end()) continue;
    scores[name] = found->second.score;
    if (!found->second.profile.empty()) profiles[name] = found->second.profile;
  }
  return {{"name", model.name},          {"billions", number_or_null(model.billions)},
          {"paper", is_paper},           {"shown", !is_paper || is_in_figure(model.name)},
          {"scores", std::move(scores)}, {"profiles", std::move(profiles)}};
}

}  // namespace

int64_t full_score(const std::string& benchmark) { return benchmark == "mme" ? kMmePoints : 100; }

OrderedJson overview_json(const OverviewOptions& options) {
  if (options.results.empty() && !options.with_paper) return nullptr;
  const auto own = read_model_results(options.results);
  const auto paper = options.with_paper ? paper_models() : std::vector<ModelResults>();
  const auto names = benchmarks_of(own.empty() ? paper : own);
  OrderedJson columns = OrderedJson::array(), models = OrderedJson::array();
  for (const auto& name : names) columns.push_back({{"name", name}, {"full", full_score(name)}});
  for (const auto& model : own) models.push_back(model_json(model, names, false));
  for (const auto& model : paper) {
    auto json = model_json(model, names, true);
    if (!json["scores"].empty()) models.push_back(std::move(json));
  }
  return {{"benchmarks", std::move(columns)}, {"models", std::move(models)}};
}

}  // namespace vlsi
