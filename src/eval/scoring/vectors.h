// Test vectors of scoring functions: a file of calls and of what they gave.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ostream>

namespace vlsi {

struct VectorCount {
  int64_t same = 0, total = 0;
};

/// Calls the function of every line {"fn", "args", "out"} (call_scoring_function), and writes a line {"fn", "out",
/// "same"} for each, with "error" for a function that is not known, and "N of M" at the end. Error for a line that is
/// no such object.
VectorCount run_vectors(const std::filesystem::path& path, std::ostream& out);

}  // namespace vlsi
