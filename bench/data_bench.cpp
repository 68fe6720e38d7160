// Training data read by a loader: samples a second, the time to the first batch, and memory.
//   data_bench MODEL WORKERS RECORDS START PATH...    MODEL has config.json, tokenizer and picture settings; RECORDS
//   are read from record START of the first epoch on, of a mixture of the PATHs
//   data_bench --outlines MODEL ...    the same of batches that other ranks train on: of pictures the headers alone
// Prints one JSON object: seconds from the opening to the first batch, samples a second behind it, the mixture's
// records, and MiB of memory at most, without and with the pages of files.
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "cli/process.h"
#include "data/loader.h"
#include "family/family.h"

namespace {

using namespace vlsi;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Of a line "RssAnon:   1234 kB" of the kernel's report on this process.
double mib_of(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) / 1024;
  }
  return 0;
}

OrderedJson measure(const std::vector<std::string>& arguments, const BatchShare& share) {
  LoaderConfig config;
  config.share = share;
  config.num_workers = std::stoi(arguments[1]);
  config.batch_tokens = config.sample_tokens = 16384;
  const int64_t num_records = std::stoll(arguments[2]), start_record = std::stoll(arguments[3]);
  std::vector<DataSource> sources;
  for (size_t i = 4; i < arguments.size(); ++i) sources.push_back({arguments[i], {}, 1});
  const auto processor = load_processor(arguments[0]);

  const auto start = Clock::now();
  const Mixture mixture(sources);
  for (int32_t file = 0; file < mixture.num_files(); ++file) mixture.file(file).fingerprint();  // as a run does
  Loader loader(mixture, *processor, config, {0, start_record});
  loader.next();
  const double first_batch = seconds_since(start);
  const auto begin = Clock::now();
  int64_t num_samples = 0;
  double anonymous = 0;
  while (loader.cursor().epoch == 0 && loader.cursor().index < start_record + num_records) {
    num_samples += loader.next().num_samples();
    anonymous = std::max(anonymous, mib_of("RssAnon"));
  }
  return {{"first_batch_seconds", first_batch},
          {"samples_per_second", static_cast<double>(num_samples) / seconds_since(begin)},
          {"records", mixture.size()},
          {"anonymous_mib", anonymous},
          {"resident_mib", mib_of("VmHWM")}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool are_outlines = !words.empty() && words[0] == "--outlines";
  const std::vector<std::string> arguments(words.begin() + (are_outlines ? 1 : 0), words.end());
  if (arguments.size() < 5) {
    std::cerr << "data_bench [--outlines] MODEL WORKERS RECORDS START PATH...\n";
    return 2;
  }
  vlsi::keep_freed_memory();  // as the program does
  at::set_num_threads(1);
  try {
    const vlsi::BatchShare others{nullptr, 1, 0, 0};
    std::cout << measure(arguments, are_outlines ? others : vlsi::BatchShare{}).dump() << "\n";
  } catch (const vlsi::Error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
  return 0;
}
