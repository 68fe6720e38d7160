#include "study/study_results.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/mapped_file.h"
#include "eval/model_results.h"
#include "study/stage_record.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kResultsFormat = 2;

std::optional<double> score_of(const Json& json, const std::string& place) {
  if (const auto score = find<double>(json, "score", place)) return score;
  const auto accuracy = find<double>(json, "accuracy", place);
  return accuracy ? std::optional(100 * *accuracy) : std::nullopt;
}

EvaluationScore read_evaluation(const fs::path& folder) {
  const auto path = folder / kResultsFile;
  const auto place = path.string();
  const auto json = read_json(path);
  const auto score = score_of(json, place);
  if (!score) fail(place, ": has neither 'score' nor 'accuracy'; expected a benchmark that the program can score");
  EvaluationScore result{*score, {}, folder};
  const auto categories = find<Json>(json, "categories", place).value_or(Json::object());
  for (const auto& [name, value] : categories.items()) {
    if (const auto category = score_of(value, concat(place, ": category '", name, "'"))) {
      result.categories[name] = *category;
    }
  }
  return result;
}

/// `values` by names, as a map.
std::map<std::string, double> numbers_of(const Json& json, const std::string& place) {
  std::map<std::string, double> numbers;
  for (const auto& item : json.items()) numbers[item.key()] = require<double>(json, item.key(), place);
  return numbers;
}

void add_seeds(std::vector<uint64_t>& seeds, const std::vector<uint64_t>& more) {
  std::set<uint64_t> all(seeds.begin(), seeds.end());
  all.insert(more.begin(), more.end());
  seeds.assign(all.begin(), all.end());
}

bool same_scores(const VariantResult& a, const VariantResult& b) {
  const auto same = [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.score == y.second.score && x.second.categories == y.second.categories;
  };
  return std::equal(a.evaluations.begin(), a.evaluations.end(), b.evaluations.begin(), b.evaluations.end(), same);
}

/// Refuses results of an evaluation that asked something else under its name than those in a folder before: `known` has
/// what was asked by names, and where first.
void check_asked(const VariantResult& result, const fs::path& folder,
                 std::map<std::string, std::pair<std::string, fs::path>>& known) {
  for (const auto& [name, evaluation] : result.evaluations) {
    if (evaluation.fingerprint.empty()) continue;
    const auto& [asked, first] = known.try_emplace(name, evaluation.fingerprint, folder).first->second;
    if (asked == evaluation.fingerprint) continue;
    fail("merging ", folder.string(), ": its evaluation '", name, "' has other options, or other data, than that in ",
         first.string(), "; evaluate both by one file");
  }
}

}  // namespace

std::vector<VariantResult> collect_results(const StudyConfig& study, const StudyStages& all) {
  std::vector<VariantResult> results;
  std::map<std::pair<size_t, size_t>, size_t> places;  // of variants with their stages
  for (const auto& made : all.results) {
    if (const auto found = places.find({made.variant, made.stage}); found != places.end()) {
      add_seeds(results[found->second].seeds, {made.seed});
      continue;
    }
    const auto& stage = all.stages[made.stage];
    const auto done = [&](size_t i) { return is_done(all.stages[i]); };
    const auto with_inputs = all.with_inputs(made.stage);
    if (!std::all_of(with_inputs.begin(), with_inputs.end(), done) ||
        !std::all_of(made.evaluations.begin(), made.evaluations.end(), done)) {
      continue;
    }
    VariantResult result;
    result.variant = study.variants[made.variant].name;
    result.seeds = {made.seed};
    result.fingerprint = stage.fingerprint;
    result.experiment = stage.experiment;
    result.folder = stage.folder;
    for (const size_t i : with_inputs) {
      const auto record = read_stage_record(all.stages[i]).value_or(StageRecord());
      const double seconds = seconds_of(all.stages[i], record);
      result.seconds_with_inputs += seconds;
      if (i != made.stage) continue;
      result.seconds = seconds;
      result.peak_memory_bytes = record.peak_memory_bytes;
      result.processor = record.processor;
    }
    for (size_t i = 0; i < made.evaluations.size(); ++i) {
      const auto& evaluation = all.stages[made.evaluations[i]];
      auto& score = result.evaluations[study.evaluate[i].name] = read_evaluation(evaluation.folder);
      score.fingerprint = evaluation.asked;
    }
    places[{made.variant, made.stage}] = results.size();
    results.push_back(std::move(result));
  }
  return results;
}

void write_results(const fs::path& folder, const std::vector<VariantResult>& results) {
  OrderedJson runs = OrderedJson::array();
  for (const auto& result : results) {
    OrderedJson evaluations = OrderedJson::object();
    for (const auto& [name, evaluation] : result.evaluations) {
      evaluations[name] = {{"score", evaluation.score},
                           {"categories", evaluation.categories},
                           {"folder", fs::relative(evaluation.folder, folder).string()},
                           {"fingerprint", evaluation.fingerprint}};
    }
    runs.push_back({{"variant", result.variant},
                    {"seeds", result.seeds},
                    {"fingerprint", result.fingerprint},
                    {"experiment", result.experiment},
                    {"folder", fs::relative(result.folder, folder).string()},
                    {"seconds", result.seconds},
                    {"seconds_with_inputs", result.seconds_with_inputs},
                    {"peak_memory_bytes", result.peak_memory_bytes},
                    {"processor", result.processor},
                    {"evaluations", std::move(evaluations)}});
  }
  write_json(folder / kStudyResultsFile, {{"format", kResultsFormat}, {"runs", std::move(runs)}});
}

std::vector<VariantResult> load_results(const fs::path& folder) {
  const auto path = folder / kStudyResultsFile;
  const auto place = path.string();
  if (!fs::exists(path)) fail(folder.string(), ": holds no results of a study: there is no ", kStudyResultsFile);
  const auto json = read_json(path);
  check_format(json, kResultsFormat, place, "run the study again with this version");
  std::vector<VariantResult> results;
  for (const auto& run : require<std::vector<Json>>(json, "runs", place)) {
    VariantResult result;
    result.variant = require<std::string>(run, "variant", place);
    for (const int64_t seed : require<std::vector<int64_t>>(run, "seeds", place))
      add_seeds(result.seeds, {static_cast<uint64_t>(seed)});
    if (result.seeds.empty()) fail(place, ": key 'seeds' is empty, expected one or more");
    result.fingerprint = require<std::string>(run, "fingerprint", place);
    result.experiment = require<std::string>(run, "experiment", place);
    result.folder = folder / require<std::string>(run, "folder", place);
    result.seconds = require<double>(run, "seconds", place);
    result.seconds_with_inputs = require<double>(run, "seconds_with_inputs", place);
    result.peak_memory_bytes = require<int64_t>(run, "peak_memory_bytes", place);
    result.processor = require<std::string>(run, "processor", place);
    const auto evaluations = require<Json>(run, "evaluations", place);
    if (!evaluations.is_object()) fail(place, ": key 'evaluations' is ", describe(evaluations), ", expected an object");
    for (const auto& [name, evaluation] : evaluations.items()) {
      result.evaluations[name] = {require<double>(evaluation, "score", place),
                                  numbers_of(require<Json>(evaluation, "categories", place), place),
                                  folder / require<std::string>(evaluation, "folder", place),
                                  find<std::string>(evaluation, "fingerprint", place).value_or("")};
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::vector<VariantResult> merge_results(const StudyConfig& study, const std::vector<fs::path>& folders) {
  const auto place_of = [&](const std::string& variant) {
    const auto& all = study.variants;
    return std::find_if(all.begin(), all.end(), [&](const auto& known) { return known.name == variant; }) - all.begin();
  };
  std::map<std::string, std::pair<std::string, fs::path>> experiments;  // of the variants, and the first that has it
  std::map<std::pair<int64_t, std::string>, std::pair<VariantResult, fs::path>> runs;  // by variant and fingerprint
  std::map<std::pair<int64_t, uint64_t>, std::pair<std::string, fs::path>> of_seeds;   // the fingerprint of each
  std::map<std::string, std::pair<std::string, fs::path>> asked;                       // by each evaluation
  for (const auto& folder : folders) {
    for (auto& result : load_results(folder)) {
      const auto place = place_of(result.variant);
      if (place == std::ssize(study.variants)) {
        fail("merging ", folder.string(), ": it is of another study: it has a variant '", result.variant,
             "', which the study's file lacks");
      }
      const auto experiment = experiments.try_emplace(result.variant, result.experiment, folder).first->second;
      if (experiment.first != result.experiment) {
        fail("merging ", folder.string(), ": it is of another study: its variant '", result.variant,
             "' was made by another configuration, or from other data, than that in ", experiment.second.string());
      }
      check_asked(result, folder, asked);
      const auto [run, is_new] = runs.try_emplace({place, result.fingerprint}, std::pair(result, folder));
      for (const uint64_t seed : result.seeds) {
        const auto& [fingerprint, first] =
            of_seeds.try_emplace({place, seed}, result.fingerprint, folder).first->second;
        if (fingerprint != result.fingerprint || !same_scores(run->second.first, result)) {
          fail("merging ", folder.string(), ": the variant '", result.variant, "' with seed ", seed,
               " has other scores than in ", first.string(), "; name one of the two folders");
        }
      }
      add_seeds(run->second.first.seeds, result.seeds);
    }
  }
  std::map<std::pair<int64_t, uint64_t>, VariantResult> in_order;
  for (auto& [key, run] : runs) in_order.emplace(std::pair(key.first, run.first.seeds.front()), std::move(run.first));
  std::vector<VariantResult> results;
  for (auto& [key, result] : in_order) results.push_back(std::move(result));
  return results;
}

QuestionScores read_question_scores(const fs::path& folder) {
  const auto path = folder / kPredictionsFile;
  const auto file = MappedFile::open(path);
  const auto text = file->text();
  QuestionScores scores;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const auto place = concat(path.string(), ", line ", ++number);
    const auto line = parse_json(text.substr(begin, end - begin), place);
    begin = end + 1;
    const auto id = require<std::string>(line, "id", place);
    if (const auto right = find<bool>(line, "right", place)) {
      scores[id] = *right ? 1 : 0;
    } else if (const auto score = find<double>(line, "score", place)) {
      scores[id] = *score;
    } else if (!line.contains("score")) {
      fail(place, ": has neither 'right' nor 'score'");
    }
  }
  return scores;
}

}  // namespace vlsi
