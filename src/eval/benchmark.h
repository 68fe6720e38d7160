// Benchmarks: questions for a model, judgements of its answers, and what they add up to. Each is a file of
// eval/benchmarks/ and an entry of the table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/table.h"
#include "data/dataset.h"
#include "eval/profile.h"

namespace vlsi {

class Judge;

/// What a question belongs to, by name: its category, split, task and the like.
using Tags = std::vector<std::pair<std::string, std::string>>;

/// What is thought of one answer.
struct Verdict {
  int64_t question = 0;
  double score = 0;       // 1 right, 0 wrong; what lies between, or beyond, where a benchmark has that
  std::string category;   // of the question; empty where it has none
  OrderedJson line;       // of predictions.jsonl
  std::string unit = {};  // verdicts of one unit are drawn together by the bootstrap; empty: each alone
  Tags tags = {};
  std::string said = {};  // what the answer was taken for, where sums need it: a letter, or yes and no
  bool parsed = true;     // false where the rule found no answer in it
  bool scored = true;     // false where only a judge could tell, or no right answer is known
  bool known = true;      // whether one is
  bool judged = false;    // whether one was asked
};

/// The number of a question and the answer to it.
using QuestionAnswer = std::pair<int64_t, std::string>;

struct Summary {
  std::string text;  // lines for a person
  OrderedJson json;  // keys of results.json: "accuracy", "total" and "categories" are what the report shows
};

/// A benchmark with its questions at hand. Questions that belong together (the same one with its options turned, all of
/// one picture) find each other in `summarize`, by their units and tags.
class Benchmark {
 public:
  virtual ~Benchmark() = default;
  /// The questions as conversations that a model goes on with: texts, options and pictures as it is shown them.
  virtual const Records& questions() const = 0;
  /// By which answers that were made elsewhere name a question; each has its own.
  virtual std::string id(int64_t question) const { return questions().read(question, false).id; }
  /// The answer to a question; several threads may judge. Error naming the place for a question that cannot be judged.
  virtual Verdict judge(int64_t question, const std::string& answer) const = 0;
  /// Error where a judge was asked, and no question got a reply.
  virtual void check_judge() const {}
  /// Of the questions that were answered, in their order.
  virtual Summary summarize(const std::vector<Verdict>& verdicts) const = 0;
  /// Writes the answers as the benchmark's server or its authors' script takes them, where there is such a form, into
  /// the folder.
  virtual void submit(const std::vector<QuestionAnswer>& /*answers*/, const std::filesystem::path& /*folder*/) const {}
};

struct BenchmarkSource {
  std::filesystem::path data, images;  // `images` as RecordFile has it
  ChosenProfile profile = {};
  std::shared_ptr<const Judge> judge = {};  // null: rules alone
  bool is_asked = true;                     // false where the answers are there, and no prompt is made
};

struct BenchmarkEntry {
  std::string name, meaning;
  std::unique_ptr<Benchmark> (*open)(const BenchmarkSource& source);
  std::vector<std::string> tables = {};  // VLMEvalKit's names of them, without the ending .tsv
  int64_t max_new_tokens = 16;           // the longest answer, where no length is given
};

/// The first is the default.
Table<BenchmarkEntry>& benchmarks();
using ChosenBenchmark = Choice<BenchmarkEntry, benchmarks>;

}  // namespace vlsi
