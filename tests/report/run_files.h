// Run directories made by hand.
#pragma once

#include <string>

#include "base/settings.h"
#include "run/config.h"
#include "tests/support/files.h"

namespace vlsi::report_test {

namespace fs = std::filesystem;

/// The resolved configuration of a run in `directory`, as a run writes it, with `overrides`.
inline void write_config(const fs::path& directory, const std::vector<std::string>& overrides) {
  const auto source = directory.parent_path() / (directory.filename().string() + ".yaml");
  write_text(source, "out: " + directory.string() + "\n");
  write_text(directory / "config.yaml", write_settings(load_run_config(source, overrides)));
}

}  // namespace vlsi::report_test
