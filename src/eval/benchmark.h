// Benchmarks: questions for a model, judgements of its answers, and what they add up to. Each is a file of
// eval/benchmarks/ and an entry of the table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/table.h"
#include "data/dataset.h"
#include "eval/answers.h"

namespace vlsi {

/// What is thought of one answer.
struct Verdict {
  int64_t question;
  double score;          // 1 right, 0 wrong; what lies between, or beyond, where a benchmark has that
  std::string category;  // of the question; empty where it has none
  OrderedJson line;      // of predictions.jsonl
};

struct Summary {
  std::string text;  // lines for a person
  OrderedJson json;  // keys of results.json: "accuracy", "total" and "categories" are what the report shows
};

/// A benchmark with its questions at hand. Questions that belong together (the same one with its options turned, all of
/// one picture) find each other in `summarize`, by their numbers.
class Benchmark {
 public:
  virtual ~Benchmark() = default;
  /// The questions as conversations that a model goes on with: texts, options and pictures as it is shown them.
  virtual const Records& questions() const = 0;
  /// The answer to a question. Error naming the place for a question that cannot be judged.
  virtual Verdict judge(int64_t question, const std::string& answer) const = 0;
  /// Of the questions that were answered, in their order.
  virtual Summary summarize(const std::vector<Verdict>& verdicts) const = 0;
};

struct BenchmarkSource {
  std::filesystem::path data, images;  // `images` as RecordFile has it
};

struct BenchmarkEntry {
  std::string name, meaning;
  std::unique_ptr<Benchmark> (*open)(const BenchmarkSource& source);
};

/// The first is the default.
Table<BenchmarkEntry>& benchmarks();
using ChosenBenchmark = Choice<BenchmarkEntry, benchmarks>;

/// Asks the model every question, greedily, and judges its answers, which go to the JSONL file `predictions`; bad
/// records are left out with kSkip.
Summary evaluate(const Benchmark& benchmark, const Speaker& speaker, int64_t max_new_tokens, int64_t batch_tokens,
                 OnError on_error, const std::filesystem::path& predictions);

}  // namespace vlsi
