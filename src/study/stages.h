// The stages that a study's results need: what each is made from and by which command, every one of them once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "study/study.h"

namespace vlsi {

/// A stage as it is made: with a seed, and with what a variant changes.
struct Stage {
  std::string name;                       // of the stage, or of the variant that changes it
  const StageCommand* command = nullptr;  // of the table
  uint64_t seed = 0;
  int64_t threads = 1;
  double memory_bytes = 0;                  // 0: to be planned
  std::vector<size_t> inputs = {};          // stages, each once
  std::string run = {};                     // the resolved configuration of a run, as YAML
  std::vector<std::string> arguments = {};  // of the others
  /// Of the command, its settings and its inputs' fingerprints, all but where and how it is computed: two stages of one
  /// fingerprint are one.
  std::string fingerprint = {};
  std::string experiment = {};  // the same without seeds
  std::string asked = {};       // of an evaluation, whatever the model: fingerprint of its options and their files
  std::filesystem::path folder = {};

  std::filesystem::path result() const { return folder / command->result; }
};

/// A variant with a seed.
struct StudyResult {
  size_t variant;
  uint64_t seed;
  size_t stage;                     // whose model it is
  std::vector<size_t> evaluations;  // stages, one for each of the study's
};

struct StudyStages {
  std::vector<Stage> stages;  // behind their inputs
  std::vector<StudyResult> results;

  /// `stage` and everything that it is made from, ascending.
  std::vector<size_t> with_inputs(size_t stage) const;
};

/// Every stage that the variants need with every seed. `place` names the study's file, which must be there. Error,
/// naming variant and stage, for a reference to an unknown stage, for stages that are made from each other, for inputs
/// that are not there, and for a run whose configuration is refused (check() of run/config.h; files that stages will
/// make are taken to be there).
StudyStages expand(const StudyConfig& study, const std::string& place);

/// A short text for people: "vlsi, seed 3".
std::string describe(const Stage& stage);

}  // namespace vlsi
