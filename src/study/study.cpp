#include "study/study.h"

#include <algorithm>
#include <set>
#include <thread>

namespace vlsi {
namespace {

constexpr const char* kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

/// Names are parts of paths and of references.
template <class Item>
std::vector<std::string> names_of(const std::vector<Item>& items, const char* key, const std::string& place) {
  std::vector<std::string> names;
  for (const auto& item : items) {
    if (item.name.empty()) fail(place, ": key '", key, "[", names.size(), "].name' is missing");
    if (item.name.find_first_not_of(kNameCharacters) != std::string::npos || item.name.front() == '.') {
      fail(place, ": key '", key, "[", names.size(), "].name' is '", item.name,
           "', expected letters, digits, '-', '_' and '.'");
    }
    if (std::find(names.begin(), names.end(), item.name) != names.end()) {
      fail(place, ": key '", key, "' has the name '", item.name, "' twice");
    }
    names.push_back(item.name);
  }
  return names;
}

void require_known(const std::string& name, const std::vector<std::string>& known, const std::string& what,
                   const std::string& place) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  fail(place, ": ", what, " is '", name, "', which is no name there; did you mean '", nearest(name, known), "'?");
}

void check_stage(const StageConfig& stage, const std::string& place) {
  const auto what = concat(place, ": stage '", stage.name, "'");
  if (stage.command->takes_run) {
    if (stage.run.empty()) fail(what, ": key 'run' is missing: name the run's file");
    if (!stage.options.empty()) fail(what, ": has 'options', but a ", stage.command->name, " takes 'set'");
  } else if (!stage.run.empty() || !stage.set.empty()) {
    fail(what, ": has 'run' or 'set', but ", stage.command->name, " takes 'options'");
  }
  if (stage.threads < 0 || stage.threads > 1024)
    fail(what, ": key 'threads' is ", stage.threads, ", expected 0 to 1024");
  if (!(stage.memory_gib >= 0)) fail(what, ": key 'memory_gib' is ", stage.memory_gib, ", expected 0 or more");
  for (const auto& option : stage.options) parse_option(option, *stage.command, what);
}

void check_variants(const StudyConfig& study, const std::vector<std::string>& stages, const std::string& place) {
  for (const auto& variant : study.variants) {
    const auto what = concat("variant '", variant.name, "'");
    require_known(variant.stage, stages, concat(what, ", key 'stage',"), place);
    for (const auto& change : variant.with) {
      require_known(change.stage, stages, concat(what, ", key 'with.stage',"), place);
      if (change.stage == variant.stage) {
        fail(place, ": ", what, ": 'with' names its own stage '", change.stage, "'; expected 'set' or 'options'");
      }
    }
  }
}

void check_seeds(const StudyConfig& study, const std::string& place) {
  if (study.seeds.empty()) fail(place, ": key 'seeds' is missing: name one or more");
  const std::set<uint64_t> unique(study.seeds.begin(), study.seeds.end());
  if (unique.size() < study.seeds.size()) fail(place, ": key 'seeds' has one of them twice");
}

/// StudyConfig's, of a file whose own seeds are `own`.
std::vector<uint64_t> dealt_seeds(std::vector<uint64_t> own, const std::vector<uint64_t>& seeds) {
  for (const uint64_t seed : seeds) {
    if (std::find(own.begin(), own.end(), seed) == own.end()) own.push_back(seed);
  }
  return own;
}

/// The seeds that the file has without overrides, its own or those of the file that it extends; none where it has none.
std::vector<uint64_t> seeds_of_file(const std::filesystem::path& path, const std::filesystem::path& extended) {
  for (const auto& file : {path, extended}) {
    const auto root = file.empty() ? YAML::Node() : load_yaml(file, {});
    if (!root.IsMap() || !root["seeds"]) continue;
    YAML::Node alone;
    alone["seeds"] = root["seeds"];
    return read_settings<StudyConfig>(alone, file.string()).seeds;
  }
  return {};
}

/// The file's keys, and those that it leaves to the one that it extends. Each file is read alone first, so that an
/// error names it.
StudyConfig read_study(YAML::Node root, const std::string& place) {
  auto study = read_settings<StudyConfig>(root, place);
  const auto extended = study.extends;
  if (extended.empty()) return study;
  std::error_code error;  // what is there but cannot be read is told when it is opened
  if (!std::filesystem::exists(extended, error) && !error)
    fail(place, ": key 'extends' is '", extended.string(), "': there is no such file");
  const auto base = load_yaml(extended, {});
  if (!read_settings<StudyConfig>(base, extended.string()).extends.empty())
    fail(place, ": key 'extends' is '", extended.string(),
         "', which extends another one itself, expected a whole study");
  for (const auto& item : base) {
    const auto& key = item.first.Scalar();
    const bool is_of_its_variants = key == "compare" && root["variants"];
    if (!root[key] && !is_of_its_variants) root[key] = item.second;
  }
  return read_settings<StudyConfig>(root, place);
}

}  // namespace

StudyConfig load_study(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  const auto place = path.string();
  auto study = read_study(load_yaml(path, overrides), place);
  if (study.out.empty()) fail(place, ": key 'out' is missing: name the study's folder");
  check_seeds(study, place);
  study.dealt_seeds = dealt_seeds(overrides.empty() ? study.seeds : seeds_of_file(path, study.extends), study.seeds);
  const auto stages = names_of(study.stages, "stages", place);
  if (stages.empty()) fail(place, ": key 'stages' is missing");
  const auto variants = names_of(study.variants, "variants", place);
  if (variants.empty()) fail(place, ": key 'variants' is missing");
  names_of(study.evaluate, "evaluate", place);
  if (study.evaluate.empty()) fail(place, ": key 'evaluate' is missing: name what results are measured by");
  for (const auto& evaluation : study.evaluate) {
    const auto what = concat(place, ": evaluation '", evaluation.name, "'");
    for (const auto& option : evaluation.options) parse_option(option, *stage_commands().find("evaluate"), what);
  }
  if (study.baseline.empty()) study.baseline = variants.front();
  require_known(study.baseline, variants, "key 'baseline'", place);
  std::set<std::pair<std::string, std::string>> compared;
  for (const auto& [variant, minus] : study.compare) {
    for (const auto& name : {variant, minus}) require_known(name, variants, "key 'compare'", place);
    if (variant == minus) fail(place, ": key 'compare': '", variant, "' is compared with itself");
    if (!compared.emplace(variant, minus).second)
      fail(place, ": key 'compare' has '", variant, "' minus '", minus, "' twice");
  }
  if (study.results.empty()) study.results = study.out;
  if (study.base.empty()) study.base = stages.back();
  require_known(study.base, stages, "key 'base'", place);
  if (study.cores < 0 || study.cores > 1024 || study.threads < 0 || study.threads > 1024)
    fail(place, ": keys 'cores' and 'threads' are ", study.cores, " and ", study.threads, ", expected 0 to 1024");
  if (!(study.memory_gib >= 0)) fail(place, ": key 'memory_gib' is ", study.memory_gib, ", expected 0 or more");
  if (study.cores == 0) study.cores = std::max(1U, std::thread::hardware_concurrency());
  if (study.threads == 0) study.threads = study.cores;
  for (auto& stage : study.stages) {
    check_stage(stage, place);
    if (stage.threads == 0) stage.threads = study.threads;
  }
  std::set<std::string> titles;
  for (auto& variant : study.variants) {
    if (variant.title.empty()) variant.title = variant.name;
    if (!titles.insert(variant.title).second)
      fail(place, ": variant '", variant.name, "': another one has the title '", variant.title, "', too");
    if (variant.stage.empty()) variant.stage = study.base;
  }
  check_variants(study, stages, place);
  return study;
}

std::optional<StageReference> StageReference::parse(const std::string& value) {
  if (value.empty() || value.front() != '$') return std::nullopt;
  const auto slash = std::min(value.find('/'), value.size());
  return StageReference{value.substr(1, slash - 1), value.substr(slash)};
}

std::pair<std::string, std::string> parse_option(const std::string& text, const StageCommand& command,
                                                 const std::string& place) {
  const auto equals = text.find('=');
  if (equals == text.npos || equals == 0) fail(place, ": option '", text, "': expected option=value");
  auto option = text.substr(0, equals);
  if (std::find(command.options.begin(), command.options.end(), option) == command.options.end()) {
    fail(place, ": option '", option, "' is unknown to a stage of vlsi ", command.name, "; did you mean '",
         nearest(option, command.options), "'?");
  }
  return {std::move(option), text.substr(equals + 1)};
}

}  // namespace vlsi
