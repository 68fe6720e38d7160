// Options of the commands that a run's YAML file describes.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
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

template <>
struct EnumNames<Only> {
  static constexpr EnumName<Only> all[]{{"all", Only::kAll},
                                        {"verbalize", Only::kVerbalize},
                                        {"interact", Only::kInteract},
                                        {"finetune", Only::kFinetune}};
};

/// --only, of commands that may take one step alone.
void add_only_option(CLI::App& command, Only& only);

}  // namespace vlsi
