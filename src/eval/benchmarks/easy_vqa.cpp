#include "eval/benchmarks/easy_vqa.h"

#include "eval/exact_match.h"

namespace vlsi {
namespace {

/// The text of a conversation's last turn, which is the expected answer.
std::string expected_answer(const Conversation& conversation, const std::string& place) {
  if (conversation.turns.back().role != Role::kAssistant) {
    fail(place, ": ends with a question, expected its answer to compare with");
  }
  std::string text;
  for (const auto& content : conversation.turns.back().contents) text += content.text;
  return text;
}

class EasyVqa : public Benchmark {
 public:
  explicit EasyVqa(const BenchmarkSource& source) : file_(source.data, source.images) {}

  const Records& questions() const override { return file_; }

  Verdict judge(int64_t question, const std::string& answer) const override {
    const auto conversation = file_.read(question);
    const auto expected = expected_answer(conversation, file_.place(question));
    const bool right = ExactMatch::is_right(answer, expected);
    return {question,
            right ? 1.0 : 0.0,
            conversation.category,
            {{"id", conversation.id},
             {"category", conversation.category},
             {"answer", answer},
             {"expected", expected},
             {"right", right}}};
  }

  Summary summarize(const std::vector<Verdict>& verdicts) const override {
    ExactMatch match;
    for (const auto& verdict : verdicts) match.add(verdict.category, verdict.score == 1);
    return {to_text(match, "easy-vqa"), to_json(match)};
  }

 private:
  RecordFile file_;
};

}  // namespace

std::unique_ptr<Benchmark> open_easy_vqa(const BenchmarkSource& source) { return std::make_unique<EasyVqa>(source); }

}  // namespace vlsi
