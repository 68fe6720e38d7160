// A study's file: stages that feed each other, variants of one of them, seeds, and the evaluations of each result.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/settings.h"
#include "study/stage_command.h"

namespace vlsi {

/// A stage: a command of this program, made once for each of its seeds and each way that variants change it.
struct StageConfig {
  std::string name;
  ChosenStageCommand command;
  std::filesystem::path run;
  std::vector<std::string> set, options;
  std::vector<uint64_t> seeds;
  int64_t threads = 0;
  double memory_gib = 0;
};

template <class Visitor>
void fields(Visitor& v, StageConfig& c) {
  v("name", c.name, "by which others name its folder: $NAME/model");
  v("command", c.command, "what it is");
  v("run", c.run, "the run's file, of a stage that is a run");
  v("set", c.set, "[key=value, ...] over the run's file, as --set");
  v("options", c.options, "[option=value, ...] of a stage that is none, as --option value");
  v("seeds", c.seeds,
    "taken in turns by the study's seeds, one for all of them where it is one; default: each its own");
  v("threads", c.threads, "0: the study's");
  v("memory_gib", c.memory_gib, "0: as vlsi plan says");
}

/// What a variant changes in a stage before its own.
struct StageChange {
  std::string stage;
  std::filesystem::path run;
  std::vector<std::string> set, options;
};

template <class Visitor>
void fields(Visitor& v, StageChange& c) {
  v("stage", c.stage, "the stage's name");
  v("run", c.run, "another run's file");
  v("set", c.set, "over the stage's own");
  v("options", c.options, "over the stage's own");
}

struct VariantConfig {
  std::string name, title, stage;
  std::vector<std::string> set, options;
  std::vector<StageChange> with;
};

template <class Visitor>
void fields(Visitor& v, VariantConfig& c) {
  v("name", c.name, "in results and folders");
  v("title", c.title, "in tables; default: the name");
  v("stage", c.stage, "whose result it is; default: the study's `base`");
  v("set", c.set, "over the stage's own");
  v("options", c.options, "over the stage's own");
  v("with", c.with, "[{stage, run, set, options}, ...]: changes of the stages that it is made from");
}

struct EvaluationConfig {
  std::string name;
  std::vector<std::string> options;
};

template <class Visitor>
void fields(Visitor& v, EvaluationConfig& c) {
  v("name", c.name, "in tables");
  v("options", c.options, "[option=value, ...] of vlsi evaluate, as benchmark=easy-vqa; `model` is each result");
}

/// A difference that is wanted beside those to the baseline.
struct ComparisonConfig {
  std::string variant, minus;
};

template <class Visitor>
void fields(Visitor& v, ComparisonConfig& c) {
  v("variant", c.variant, "whose score it begins with");
  v("minus", c.minus, "the variant whose score is taken from it");
}

struct StudyConfig {
  std::filesystem::path extends, out, results;
  std::vector<uint64_t> seeds;
  /// The file's own, whatever the overrides say, and behind them those of `seeds` that it lacks: by their places here
  /// stages take their own seeds in turns, so that parts of a study on several machines are parts of one. No key.
  std::vector<uint64_t> dealt_seeds = {};
  std::string base, baseline;
  int64_t threads = 0, cores = 0;
  double memory_gib = 0;
  std::vector<StageConfig> stages;
  std::vector<VariantConfig> variants;
  std::vector<EvaluationConfig> evaluate;
  std::vector<ComparisonConfig> compare;
};

template <class Visitor>
void fields(Visitor& v, StudyConfig& c) {
  v("extends", c.extends, "another study's file, whose keys hold where this one has none");
  v("out", c.out, "the folder of the stages; studies that have it in common share them");
  v("results", c.results, "the folder of results.json and of links to the stages; default: `out`");
  v("seeds", c.seeds, "every variant is made with each of them");
  v("base", c.base, "the stage that variants are of, where they name no other");
  v("baseline", c.baseline, "the variant that the others are compared with, seed by seed");
  v("threads", c.threads, "of a stage; 0: one a core");
  v("cores", c.cores, "that stages side by side may keep busy; 0: all");
  v("memory_gib", c.memory_gib, "that they may take together; 0: what is available");
  v("stages", c.stages, "[{name, command, run, set, options, seeds, threads, memory_gib}, ...]");
  v("variants", c.variants, "[{name, title, stage, set, options, with}, ...]");
  v("evaluate", c.evaluate, "[{name, options}, ...]: of every variant");
  v("compare", c.compare,
    "[{variant, minus}, ...]: differences beside those to the baseline; not taken from the file to extend where this "
    "one has variants");
}

/// Reads a study's YAML with `--set` overrides, takes the keys that it has not from the file that it `extends`, fills
/// in what is left to defaults, and checks that names are unique and known. Error for unknown keys, wrong types, what
/// contradicts, and a file to extend that extends another itself.
StudyConfig load_study(const std::filesystem::path& path, const std::vector<std::string>& overrides);

/// A value of a setting that begins with the name of a stage, as "$teacher/model".
struct StageReference {
  std::string stage, rest;  // "teacher", "/model"

  /// Nothing for a value that does not begin with '$'.
  static std::optional<StageReference> parse(const std::string& value);
};

/// "option=value" apart. Error, naming `place`, for a text without '=', and for an option that the command does not
/// have.
std::pair<std::string, std::string> parse_option(const std::string& text, const StageCommand& command,
                                                 const std::string& place);

}  // namespace vlsi
