#include "eval/evaluate.h"

#include <algorithm>

#include "eval/judging.h"
#include "eval/stored_answers.h"

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

std::vector<Answer> ask_questions(const Benchmark& benchmark, const Speaker& speaker, const AskOptions& options,
                                  const std::filesystem::path& folder, const Ranks& ranks) {
  const Asked questions(benchmark.questions(), options);
  auto asked = options.asked;
  asked["limit"] = questions.size();
  asked["pictures"] = !options.blank;
  return stored_answers(questions, speaker, {options.asking, asked, folder}, ranks);
}

Summary judge_answers(const Benchmark& benchmark, std::vector<Answer> answers, bool blank,
                      const std::filesystem::path& predictions, int64_t num_waiting) {
  std::vector<QuestionAnswer> texts;
  std::vector<int64_t> num_tokens;
  for (auto& answer : answers) {
    texts.emplace_back(answer.record, std::move(answer.text));
    num_tokens.push_back(answer.num_tokens);
  }
  const auto verdicts =
      judge_all(benchmark, texts, predictions,
                {num_waiting, [&](size_t place, OrderedJson& line) { line["tokens"] = num_tokens[place]; }});
  if (!blank) benchmark.submit(texts, predictions.parent_path());
  return benchmark.summarize(verdicts);
}

}  // namespace vlsi
