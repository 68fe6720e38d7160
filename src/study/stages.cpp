#include "study/stages.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/checksum.h"
#include "base/contains.h"
#include "base/hub_cache.h"
#include "data/data_source.h"
#include "run/config.h"
#include "study/input_fingerprints.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// What a stage is told, before it is known which one it is.
struct Making {
  std::vector<size_t> inputs;
  Checksum fingerprint, experiment;  // the second without seeds

  void add(const std::string& text) {
    fingerprint.update(text + "\n");
    experiment.update(text + "\n");
  }
};

std::string last_word(const std::string& key) { return key.substr(key.rfind('.') + 1); }

/// Calls `visit` with the key and the node of every scalar and every empty list below `node`; of what is in a list with
/// the key of the list.
template <class Visit>
void visit_scalars(YAML::Node node, const std::string& key, const Visit& visit) {
  if (node.IsMap()) {
    for (auto item : node) visit_scalars(item.second, settings_detail::join(key, item.first.Scalar()), visit);
  } else if (node.IsSequence() && node.size() > 0) {
    for (size_t i = 0; i < node.size(); ++i) visit_scalars(node[i], key, visit);
  } else if (!node.IsNull()) {
    visit(key, node);
  }
}

/// Values by keys, those of lists joined; to leave out of fingerprints what is as it is by default.
std::map<std::string, std::string> values_of(const YAML::Node& settings) {
  std::map<std::string, std::string> values;
  visit_scalars(settings, "",
                [&](const std::string& key, const YAML::Node& node) { values[key] += node.Scalar() + "\n"; });
  return values;
}

/// A run's file as a kind of stage takes it, with every key that runs have.
struct SettingsOfRun {
  YAML::Node settings;
  std::map<std::string, std::string> values;
};

class Expansion {
 public:
  Expansion(const StudyConfig& study, const std::string& place) : study_(study), place_(place) {}

  StudyStages run() {
    for (size_t place = 0; place < study_.seeds.size(); ++place) {
      for (size_t variant = 0; variant < study_.variants.size(); ++variant) add_result(variant, place);
    }
    return std::move(all_);
  }

 private:
  void add_result(size_t variant, size_t seed_place) {
    variant_ = &study_.variants[variant];
    seed_ = study_.seeds[seed_place];
    dealt_place_ = std::find(study_.dealt_seeds.begin(), study_.dealt_seeds.end(), seed_) - study_.dealt_seeds.begin();
    known_.clear();
    const auto stage = take(variant_->stage);
    if (!all_.stages[stage].command->makes_model) {
      refuse("its stage '", variant_->stage, "' is a vlsi ", all_.stages[stage].command->name,
             ", which makes no model to evaluate");
    }
    StudyResult result{variant, seed_, stage, {}};
    for (const auto& evaluation : study_.evaluate) result.evaluations.push_back(evaluate(stage, evaluation));
    all_.results.push_back(std::move(result));
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(place_, ": variant '", variant_->name, "': ", parts...);
  }

  const StageConfig& config_of(const std::string& name) const {
    for (const auto& stage : study_.stages) {
      if (stage.name == name) return stage;
    }
    std::vector<std::string> names;
    for (const auto& stage : study_.stages) names.push_back(stage.name);
    refuse("'$", name, "' is no stage; did you mean '$", nearest(name, names), "'?");
  }

  /// The stage of this name as the variant has it, with the seed.
  size_t take(const std::string& name) {
    const auto known = known_.find(name);
    if (known != known_.end()) return known->second;
    if (contains(open_, name)) {
      std::string circle;
      for (auto at = std::find(open_.begin(), open_.end(), name); at != open_.end(); ++at) circle += *at + " needs ";
      refuse("stages are made from each other: ", circle, name);
    }
    const auto& config = config_of(name);
    open_.push_back(name);
    const auto made = make(config);
    open_.pop_back();
    return known_.emplace(name, made).first->second;
  }

  size_t make(const StageConfig& config) {
    Stage stage{.name = config.name, .command = &*config.command, .threads = config.threads};
    stage.memory_bytes = config.memory_gib * 0x1p30;
    stage.seed = config.seeds.empty() ? seed_ : config.seeds[dealt_place_ % config.seeds.size()];
    auto run = config.run;
    auto set = config.set, options = config.options;
    const auto change = [&](const auto& changes) {
      set.insert(set.end(), changes.set.begin(), changes.set.end());
      options.insert(options.end(), changes.options.begin(), changes.options.end());
    };
    if (config.name == variant_->stage) {
      if (!variant_->set.empty() || !variant_->options.empty()) stage.name = variant_->name;
      change(*variant_);
    }
    for (const auto& other : variant_->with) {
      if (other.stage != config.name) continue;
      if (!other.run.empty()) run = other.run;
      change(other);
    }
    if (config.command->takes_run ? !options.empty() : !set.empty() || !run.empty()) {
      refuse("stage '", config.name, "' is a vlsi ", config.command->name, ", which takes '",
             config.command->takes_run ? "set" : "options", "' alone");
    }
    return config.command->takes_run ? make_run(std::move(stage), run, set) : make_other(std::move(stage), options);
  }

  size_t evaluate(size_t stage, const EvaluationConfig& evaluation) {
    const auto& of = all_.stages[stage];
    Stage made{.name = concat(of.name, "-", evaluation.name), .command = stage_commands().find("evaluate")};
    made.seed = of.seed;
    made.threads = study_.threads;
    auto options = evaluation.options;
    for (const auto& option : options) {
      if (option.starts_with("model="))
        refuse("evaluation '", evaluation.name, "': '", option, "': it is of the variant's model");
    }
    made.asked = fingerprint_of_questions(options_of(options, made));
    options.push_back("model=$./model");
    self_ = stage;
    return make_other(std::move(made), options);
  }

  // ---- what it is told ----

  /// The value with a reference to a stage followed; all that it means goes into the fingerprints.
  std::string resolve(const std::string& key, const std::string& value, Making& making) {
    const auto reference = StageReference::parse(value);
    if (reference) {
      const auto input = reference->stage == "." ? self_ : take(reference->stage);
      if (!contains(making.inputs, input)) making.inputs.push_back(input);
      const auto& stage = all_.stages[input];
      making.fingerprint.update(concat(key, " $", stage.fingerprint, reference->rest, "\n"));
      making.experiment.update(concat(key, " $", stage.experiment, reference->rest, "\n"));
      return stage.folder.string() + reference->rest;
    }
    const bool is_input = !value.empty() && names_input(last_word(key));
    making.add(is_input ? concat(key, " =", fingerprint_of_input(key, value)) : concat(key, " ", value));
    return value;
  }

  /// Of a file or folder; of a pattern of data files, or of what the hub's cache has of a name, by the files that the
  /// command takes then.
  std::string fingerprint_of_input(const std::string& key, const std::string& value) {
    try {
      const auto word = last_word(key);
      if (fs::exists(value)) return inputs_.of(value);
      const bool is_pattern = value.find_first_of("*?[") != value.npos;
      if (word == "data" && !is_pattern) {  // a benchmark's may be a folder of more than one kind of file
        if (const auto cached = find_in_hub_cache(value, HubKind::kDataset)) return inputs_.of(*cached);
      }
      if (word == "path" || word == "data") return inputs_.of_all(files_of(value));
      if (word == "model" || word == "tokenizer" || word.ends_with("-from")) return inputs_.of(model_directory(value));
      return inputs_.of(value);
    } catch (const Error& error) {
      refuse("key '", key, "': ", error.what());
    }
  }

  size_t make_run(Stage stage, const fs::path& run, const std::vector<std::string>& set) {
    for (const auto& one : set) {
      for (const std::string key : {"seed", "out", "threads"}) {
        if (one.starts_with(key + "=")) refuse("stage '", stage.name, "': '", one, "': the study itself gives ", key);
      }
    }
    const bool is_cache = stage.command->makes_cache;
    Making making;
    making.add(is_cache ? "cache" : "distill");  // a fine-tuning is a run without the other steps
    const auto& [of_any_seed, values] = read_run(stage, run, set);
    auto settings = YAML::Clone(of_any_seed);
    settings["seed"] = stage.seed;
    static const auto defaults = values_of(parse_yaml(write_settings(RunConfig{}), "defaults"));
    visit_scalars(settings, "", [&](const std::string& key, YAML::Node node) {
      if (key == "seed") return making.fingerprint.update(concat("seed ", node.Scalar(), "\n"));
      if (contains(free_keys(), key)) return;
      const auto found = defaults.find(key);
      if (found != defaults.end() && found->second == values.at(key)) return;
      if (!node.IsScalar()) return making.add(key + " []");
      node = resolve(key, node.Scalar(), making);
    });
    return finish(std::move(stage), making, [&](Stage& made) {
      settings["out"] = made.folder.string();
      if (is_cache) settings["teacher"]["cache"] = made.result().string();
      check_run(settings, made, run);
      made.run = YAML::Dump(settings) + "\n";
    });
  }

  /// By their names; a later one replaces an earlier one.
  std::map<std::string, std::string> options_of(const std::vector<std::string>& given, const Stage& stage) const {
    const auto what = concat(place_, ": variant '", variant_->name, "': stage '", stage.name, "'");
    std::map<std::string, std::string> options;
    for (const auto& option : given) {
      const auto [key, value] = parse_option(option, *stage.command, what);
      options[key] = value;
    }
    return options;
  }

  /// Of what an evaluation asks any model: stages that it names count by their names, and pictures not at all.
  std::string fingerprint_of_questions(const std::map<std::string, std::string>& options) {
    Making making;
    for (const auto& [key, value] : options) {
      if (StageReference::parse(value)) {
        making.add(concat(key, " ", value));
      } else if (key != "images") {
        resolve(key, value, making);
      }
    }
    return hexadecimal(making.experiment.value());
  }

  size_t make_other(Stage stage, const std::vector<std::string>& given) {
    const auto options = options_of(given, stage);
    Making making;
    making.add(stage.command->name);
    std::vector<std::string> arguments;
    for (const auto& [key, value] : options) {
      arguments.push_back(concat("--", key, "=", resolve(key, value, making)));
    }
    if (stage.command->is_seeded && !options.contains("seed")) {
      making.fingerprint.update(concat("seed ", stage.seed, "\n"));
      arguments.push_back(concat("--seed=", stage.seed));
    }
    return finish(std::move(stage), making, [&](Stage& made) { made.arguments = std::move(arguments); });
  }

  /// The stage of these fingerprints, made where there is none.
  template <class Complete>
  size_t finish(Stage stage, Making& making, const Complete& complete) {
    stage.fingerprint = hexadecimal(making.fingerprint.value());
    stage.experiment = hexadecimal(making.experiment.value());
    const auto [found, is_new] = by_fingerprint_.try_emplace(stage.fingerprint, all_.stages.size());
    if (!is_new) return found->second;
    stage.inputs = making.inputs;
    stage.folder = study_.out / "stages" /
                   concat(stage.name, stage.command->is_seeded ? concat("-", stage.seed) : "", "-",
                          stage.fingerprint.substr(0, 8));
    complete(stage);
    all_.stages.push_back(std::move(stage));
    return all_.stages.size() - 1;
  }

  /// Read once for all seeds and variants.
  const SettingsOfRun& read_run(const Stage& stage, const fs::path& run, const std::vector<std::string>& set) {
    auto& known = read_[{run, set, stage.command->tunes_alone, stage.threads}];
    if (known.settings.IsMap()) return known;
    try {
      auto config = load_run_config(run, set);
      config.threads = stage.threads;
      if (stage.command->tunes_alone) config.verbalize.iterations = config.interact.iterations = 0;
      config.out.clear();
      known.settings = parse_yaml(write_settings(config), run.string());
      known.values = values_of(known.settings);
      return known;
    } catch (const Error& error) {
      refuse("stage '", stage.name, "': ", error.what());
    }
  }

  /// What the run would refuse. A file that a stage will make is stood for by the study's own.
  void check_run(const YAML::Node& settings, const Stage& stage, const fs::path& run) const {
    auto config = read_settings<RunConfig>(settings, run.string());
    const auto made = (study_.out / "stages" / "").string();
    const auto stand_in = [&](DataConfig& data) {
      for (auto* sources : {&data.train, &data.validation}) {
        for (auto& source : *sources) {
          if (source.path.string().starts_with(made)) source.path = place_;
        }
      }
    };
    for (auto* data : {&config.data, &config.verbalize.data, &config.verbalize.student_data, &config.interact.data,
                       &config.finetune.data}) {
      stand_in(*data);
    }
    if (stage.command->makes_cache) {
      config.finetune.iterations = 0;
      config.interact.iterations = std::max<int64_t>(1, config.interact.iterations);
    }
    try {
      check(config, run.string());
    } catch (const Error& error) {
      refuse("stage '", stage.name, "': ", error.what());
    }
  }

  const StudyConfig& study_;
  const std::string& place_;
  StudyStages all_;
  InputFingerprints inputs_;
  std::map<std::string, size_t> by_fingerprint_;
  /// By the file, the settings beside it, whether it is fine-tuning alone, and threads.
  std::map<std::tuple<fs::path, std::vector<std::string>, bool, int64_t>, SettingsOfRun> read_;
  // Of the result that is being expanded.
  const VariantConfig* variant_ = nullptr;
  uint64_t seed_ = 0;
  size_t dealt_place_ = 0, self_ = 0;
  std::map<std::string, size_t> known_;  // by the stage's name
  std::vector<std::string> open_;        // stages whose inputs are being taken
};

}  // namespace

StudyStages expand(const StudyConfig& study, const std::string& place) { return Expansion(study, place).run(); }

std::vector<size_t> StudyStages::with_inputs(size_t stage) const {
  std::set<size_t> all{stage};
  std::vector<size_t> rest{stage};
  while (!rest.empty()) {
    const auto next = rest.back();
    rest.pop_back();
    for (const size_t input : stages[next].inputs) {
      if (all.insert(input).second) rest.push_back(input);
    }
  }
  return {all.begin(), all.end()};
}

std::string describe(const Stage& stage) { return concat(stage.name, ", seed ", stage.seed); }

}  // namespace vlsi
