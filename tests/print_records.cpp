// Prints the records of a data file for scripts, one a line in their order, bytes as {"base64"}; they are read in an
// order of their own.
#include <algorithm>
#include <iostream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/dataset.h"
#include "tests/data/binary_json.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const vlsi::RecordFile file(argv[1]);
    std::vector<int64_t> order(static_cast<size_t>(file.size()));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
    std::vector<std::string> lines(order.size());
    for (const int64_t record : order)
      lines[static_cast<size_t>(record)] = vlsi::without_binary(file.json(record)).dump();
    for (const auto& line : lines) std::cout << line << '\n';
  } catch (const vlsi::Error& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
