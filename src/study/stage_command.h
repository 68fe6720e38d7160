// The commands that a study's stages are: one table, of what each takes and what it leaves in its stage's folder.
#pragma once

#include <string>
#include <vector>

#include "base/table.h"

namespace vlsi {

struct StageCommand {
  std::string name, meaning;
  std::string result;                     // what other stages read in its folder: a folder or a file
  std::vector<std::string> options = {};  // that may be named, without their dashes; `out` is the study's matter
  bool takes_run = false;                 // by a run's file, `run` and `set`, else by `options`
  bool tunes_alone = false;               // of a run's steps, the last one only
  bool makes_model = false;               // which can be evaluated
  bool makes_cache = false;               // of a run's teacher: none of the run's steps
  bool is_seeded = false;                 // with the study's seeds
  bool takes_threads = false;             // by an option
  bool fills_folder = false;              // by --out: the stage's folder, else the result
  bool starts_anew = false;               // what is there of the result is removed
};

Table<StageCommand>& stage_commands();
using ChosenStageCommand = Choice<StageCommand, stage_commands>;

/// Whether an option of a command, or a key of a run's file by its last word, names files that are read.
bool names_input(const std::string& key);

}  // namespace vlsi
