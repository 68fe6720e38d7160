#include "eval/judging.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/waiting_threads.h"

namespace vlsi {
namespace {

constexpr int64_t kJudgedAtOnce = 1 << 14, kJudgedByAThread = 64;

void stop_judging_if_interrupted() {
  if (interrupted()) {
    throw std::runtime_error("stopped by an interrupt; answers, and what the judge said so far, are kept: start again");
  }
}

}  // namespace

std::vector<Verdict> judge_all(const Benchmark& benchmark, const std::vector<QuestionAnswer>& answers,
                               const std::filesystem::path& lines, const JudgingConfig& config) {
  std::vector<Verdict> verdicts(answers.size());
  AtomicFile out(lines);
  std::vector<std::string> texts(kJudgedAtOnce);
  const auto judge = [&](int64_t i, int64_t begin) {
    auto& verdict = verdicts[i] = benchmark.judge(answers[i].first, answers[i].second);
    if (config.add_to) config.add_to(static_cast<size_t>(i), verdict.line);
    texts[i - begin] = verdict.line.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
    verdict.line = {};
  };
  Progress progress("judging", "answers", std::ssize(answers));
  std::atomic<int64_t> num_done = 0;
  std::mutex shown;
  for (int64_t begin = 0; begin < std::ssize(answers); begin += kJudgedAtOnce) {
    const int64_t end = std::min(begin + kJudgedAtOnce, static_cast<int64_t>(answers.size()));
    if (config.num_waiting > 0) {
      for_each_waiting(begin, end, config.num_waiting, [&](int64_t i) {
        stop_judging_if_interrupted();
        judge(i, begin);
        const std::lock_guard lock(shown);
        progress.update(++num_done);
      });
    } else {
      parallel_for(begin, end, kJudgedByAThread, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) judge(i, begin);
      });
    }
    std::string all;
    for (int64_t i = begin; i < end; ++i) all += texts[i - begin];
    out.write(all);
  }
  benchmark.check_judge();
  out.commit();
  return verdicts;
}

}  // namespace vlsi
