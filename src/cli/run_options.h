// Options of the commands that a run's YAML file describes.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "run/steps.h"

namespace vlsi {

struct RunOptions {
  std::filesystem::path file;
  std::vector<std::string> overrides;  // key=value over the file
};

/// The file, --set, the short forms of it, and a footer with all keys and their defaults.
void add_run_options(CLI::App& command, RunOptions& options);

/// --only, of commands that may take one step alone.
void add_only_option(CLI::App& command, std::vector<StepKind>& among);

}  // namespace vlsi
