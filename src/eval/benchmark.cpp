#include "eval/benchmark.h"

#include "base/atomic_file.h"
#include "eval/benchmarks/easy_vqa.h"

namespace vlsi {

Table<BenchmarkEntry>& benchmarks() {
  static Table<BenchmarkEntry> table{
      {"easy-vqa", "exact match, per question type (the records' `category`)", open_easy_vqa}};
  return table;
}

Summary evaluate(const Benchmark& benchmark, const Speaker& speaker, int64_t max_new_tokens, int64_t batch_tokens,
                 OnError on_error, const std::filesystem::path& predictions) {
  std::vector<Verdict> verdicts;
  AtomicFile lines(predictions);
  for (const auto& answer : answer_all(speaker, benchmark.questions(), max_new_tokens, batch_tokens, on_error)) {
    verdicts.push_back(benchmark.judge(answer.record, answer.text));
    lines.write(verdicts.back().line.dump() + "\n");
  }
  lines.commit();
  return benchmark.summarize(verdicts);
}

}  // namespace vlsi
