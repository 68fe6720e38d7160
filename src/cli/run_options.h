// Options of the commands that a run's YAML file describes.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "run/config.h"

namespace vlsi {

struct RunOptions {
  std::filesystem::path file;
  std::vector<std::string> overrides;  // key=value over the file
};

/// The file, --set, the short forms of it, and a footer with all keys and their defaults.
void add_run_options(CLI::App& command, RunOptions& options);

/// --only, of commands that may take one step alone, and what its values mean.
void add_only_option(CLI::App& command, std::string& only);
const std::map<std::string, Only>& step_kinds();

}  // namespace vlsi
