// Time of encoding the corpus that bench/peers/tokenizer_peer.py makes. One line: seconds, and how many ids.
//   tokenizer_bench QWEN2_DIR CORPUS.jsonl
// Not a Google Benchmark: bench/tokenizer.py runs it and the peer in turn, and each must start afresh.
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: tokenizer_bench QWEN2_DIR CORPUS.jsonl\n");
    return 2;
  }
  try {
    const auto seconds_since = [](std::chrono::steady_clock::time_point begin) {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    const auto load_begin = std::chrono::steady_clock::now();
    const auto tokenizer = vlsi::Tokenizer::load(argv[1]);
    const double load_seconds = seconds_since(load_begin);

    std::vector<std::string> texts;
    std::ifstream file(argv[2]);
    for (std::string line; std::getline(file, line);) texts.push_back(nlohmann::json::parse(line)["text"]);

    const auto begin = std::chrono::steady_clock::now();
    size_t num_ids = 0;
    for (const std::string& text : texts) num_ids += tokenizer.encode(text).size();
    std::printf("%.6f %.6f %zu\n", seconds_since(begin), load_seconds, num_ids);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
