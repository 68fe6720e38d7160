#include "eval/evaluate.h"

#include <algorithm>
#include <stdexcept>

#include "base/log.h"
#include "base/progress.h"
#include "eval/answer_store.h"
#include "eval/asked.h"
#include "eval/judging.h"
#include "generate/cache_room.h"

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

/// Tokens that a prompt and its answer have; nothing where that is the model's context, whatever the cache.
std::optional<int64_t> room_of_cache(const Speaker& speaker, const AskConfig& asking) {
  const int64_t room = cache_room(*speaker.model, asking.cache_bytes);
  return room < speaker.model->config().text.max_position_embeddings ? std::optional(room) : std::nullopt;
}

/// All that the answers depend on.
OrderedJson all_asked(const Records& questions, const AskOptions& options, std::optional<int64_t> room) {
  constexpr int64_t kFormat = 1;
  OrderedJson asked{{"format", kFormat}};
  asked.update(options.asked);
  asked["limit"] = questions.size();
  asked["pictures"] = !options.blank;
  asked["skips_bad_records"] = options.asking.on_error == OnError::kSkip;
  asked["questions"] = fingerprint_of_questions(questions, options.asking.on_error == OnError::kSkip);
  asked["batch_tokens"] = options.asking.batch_tokens;
  asked["max_sequences"] = options.asking.max_sequences;
  asked["group"] = kGroupRecords;
  asked["decoding"] = decoding_json(options.asking.decoding);
  const auto& draft = options.asking.draft;
  if (room) asked["cache_tokens"] = *room;
  if (draft.layer > 0) asked["draft"] = {{"layer", draft.layer}, {"tokens", draft.num_tokens}};
  return asked;
}

/// Every R-th of the groups without answers is a rank's.
std::vector<int64_t> share_of(const std::vector<int64_t>& missing, const Ranks& ranks) {
  std::vector<int64_t> own;
  for (size_t i = static_cast<size_t>(ranks.rank()); i < missing.size(); i += static_cast<size_t>(ranks.size())) {
    own.push_back(missing[i]);
  }
  return own;
}

void tell_of_cut(const std::vector<Answer>& answers, int64_t max_new_tokens, bool cache_cuts) {
  const auto num_cut = std::count_if(answers.begin(), answers.end(), [](const Answer& one) { return !one.stopped; });
  if (num_cut == 0) return;
  log_info(concat(num_cut, " of ", answers.size(), " answers were cut at --max-new-tokens ", max_new_tokens,
                  cache_cuts ? ", or where --cache-memory was full" : ""));
}

}  // namespace

std::vector<Answer> ask_questions(const Benchmark& benchmark, const Speaker& speaker, const AskOptions& options,
                                  const std::filesystem::path& folder, const Ranks& ranks) {
  const Asked questions(benchmark.questions(), options);
  const auto room = room_of_cache(speaker, options.asking);
  const AnswerStore store(folder, ranks.is_first() ? all_asked(questions, options, room) : OrderedJson(),
                          questions.size(), ranks);
  const auto own = share_of(store.missing(), ranks);
  int64_t num_own = 0;
  for (const int64_t group : own) num_own += std::min(kGroupRecords, questions.size() - group * kGroupRecords);
  const int64_t num_known = store.num_known();
  if (num_known > 0)
    log_info(concat(num_known, " of ", questions.size(), " questions are answered in ", folder.string()));
  Progress progress("answering", ranks.size() > 1 ? "questions of this rank" : "questions", num_known + num_own,
                    num_known);
  const bool done = answer_groups(
      speaker, questions, options.asking, own,
      [&](int64_t group, const AnswerGroup& answers) {
        store.write(group, answers);
        ranks.check();
      },
      [&](int64_t num_done) { progress.update(num_known + num_done); });
  if (!done) {
    throw std::runtime_error(concat("stopped by an interrupt; the answers so far are in ", folder.string(),
                                    ": the same command goes on from there"));
  }
  ranks.wait_for_all();
  if (!ranks.is_first()) return {};
  auto all = store.read_all();
  if (all.left_out.count == questions.size()) {
    fail("answering: every one of the ", questions.size(), " questions of ", questions.path().string(),
         " was left out; the first: ", all.left_out.reasons.front());
  }
  report_skipped(all.left_out, "answering");
  tell_of_cut(all.answers, options.asking.decoding.max_new_tokens, room.has_value());
  return std::move(all.answers);
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
