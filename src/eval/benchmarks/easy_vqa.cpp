#include "eval/benchmarks/easy_vqa.h"

#include "eval/exact_match.h"

namespace vlsi {
namespace {

class EasyVqa : public Benchmark {
 public:
  explicit EasyVqa(const BenchmarkSource& source) : file_(source.data, source.images) {}

  const Records& questions() const override { return file_; }

  Verdict judge(int64_t question, const std::string& answer) const override {
    const auto conversation = file_.read(question);
    const auto& last = conversation.turns.back();
    if (last.role != Role::kAssistant) {
      fail(file_.place(question), ": ends with a question, expected its answer to compare with");
    }
    std::string expected;
    for (const auto& content : last.contents) expected += content.text;
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
