// Reads every cell of a table with pictures, as `vlsi evaluate` does: evaluation_bench FILE.tsv. Prints {"rows",
// "bytes" (of all cells), "seconds", "peak_mb"}, the last the most memory of the process, mapped pages included.
#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>

#include "base/parallel.h"
#include "data/tsv_file.h"

namespace {

/// The most memory that the process had, in MB.
double peak_mb() {
  std::ifstream status("/proc/self/status");
  std::string word;
  double kib = 0;
  while (status >> word && word != "VmHWM:") continue;
  status >> kib;
  return kib * 1024 / 1e6;
}

}  // namespace

int main(int num_arguments, char** arguments) {
  if (num_arguments != 2) {
    std::cerr << "evaluation_bench FILE.tsv\n";
    return 2;
  }
  const auto start = std::chrono::steady_clock::now();
  const vlsi::TsvFile file(arguments[1]);
  std::atomic<size_t> bytes = 0;
  vlsi::parallel_for(0, file.size(), 64, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const auto values = file.row(row);
      for (const auto& [name, value] : values.items()) bytes += value.get_ref<const std::string&>().size();
    }
  });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::cout << vlsi::Json{{"rows", file.size()},
                          {"bytes", bytes.load()},
                          {"seconds", seconds.count()},
                          {"peak_mb", peak_mb()}}
            << std::endl;
  return 0;
}
