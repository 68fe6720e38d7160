#include "eval/evaluate.h"

#include <algorithm>

#include "base/atomic_file.h"

namespace vlsi {
namespace {

/// The first questions of a benchmark, with or without their pictures.
class Asked : public Records {
 public:
  Asked(const Records& all, const AskOptions& options) : all_(all), options_(options) {}

  const std::filesystem::path& path() const override { return all_.path(); }
  int64_t size() const override { return std::min(all_.size(), options_.limit); }
  std::string place(int64_t record) const override { return all_.place(record); }
  Conversation read(int64_t record, bool answers_required) const override {
    auto conversation = all_.read(record, answers_required);
    if (options_.blank) {
      for (auto& turn : conversation.turns) {
        std::erase_if(turn.contents, [](const Content& content) { return content.kind == Content::Kind::kImage; });
      }
    }
    return conversation;
  }

 private:
  const Records& all_;
  const AskOptions& options_;
};

}  // namespace

Summary evaluate(const Benchmark& benchmark, const Speaker& speaker, const AskOptions& options,
                 const std::filesystem::path& predictions) {
  std::vector<Verdict> verdicts;
  std::vector<QuestionAnswer> answers;
  AtomicFile lines(predictions);
  const Asked questions(benchmark.questions(), options);
  for (const auto& answer : answer_all(speaker, questions, options.asking)) {
    verdicts.push_back(benchmark.judge(answer.record, answer.text));
    lines.write(verdicts.back().line.dump() + "\n");
    verdicts.back().line = {};
    answers.emplace_back(answer.record, answer.text);
  }
  lines.commit();
  if (!options.blank) benchmark.submit(answers, predictions.parent_path());
  return benchmark.summarize(verdicts);
}

}  // namespace vlsi
