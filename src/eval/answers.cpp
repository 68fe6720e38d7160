#include "eval/answers.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "generate/cache_room.h"
#include "objective/cross_entropy.h"

namespace vlsi {
namespace {

/// The records of a group.
class GroupRecords : public Records {
 public:
  GroupRecords(const Records& all, int64_t group, int64_t group_records)
      : all_(all), group_(group), first_(group * group_records), size_(std::min(group_records, all.size() - first_)) {}

  int64_t group() const { return group_; }
  int64_t first() const { return first_; }
  const std::filesystem::path& path() const override { return all_.path(); }
  int64_t size() const override { return size_; }
  std::string place(int64_t record) const override { return all_.place(first_ + record); }
  Conversation read(int64_t record, bool answers_required) const override {
    return all_.read(first_ + record, answers_required);
  }

 private:
  const Records& all_;
  const int64_t group_, first_, size_;
};

OnePassConfig passing(const Speaker& speaker, const AskConfig& config) {
  const int64_t context = speaker.model->config().text.max_position_embeddings;
  const int64_t room = cache_room(*speaker.model, config.cache_bytes);
  return {Encoding::kPrompt, config.batch_tokens, config.on_error, std::min(context, room) - 1};
}

struct GroupPass {
  GroupPass(const Speaker& speaker, const Records& all, int64_t group, const AskConfig& config)
      : records(all, group, config.group_records), pass(records, *speaker.processor, passing(speaker, config)) {}

  const GroupRecords records;
  OnePass pass;
};

/// Answers what the pass gives, in the order of its records. Before each step `go_on` is told how many records are
/// done, and ends the asking with false. What drafts saved is added to `counts`.
std::vector<Answer> ask(const Speaker& speaker, OnePass& pass, const AskConfig& config,
                        const std::function<bool(int64_t)>& go_on, DraftCounts& counts) {
  Engine engine(*speaker.model, speaker.processor->tokenizer(), speaker.pictures.get(),
                {.max_sequences = std::max(config.max_sequences, config.decoding.num_beams),
                 .prompt_tokens = config.batch_tokens,
                 .cache_bytes = config.cache_bytes,
                 .draft = config.draft});
  std::vector<Answer> answers;
  auto part = pass.next_samples();
  do {
    while (part && engine.num_waiting() < config.max_sequences) {
      for (size_t i = 0; i < part->samples.size(); ++i) {
        const int64_t record = part->records[i];
        engine.submit({std::move(part->samples[i].own), config.decoding, nullptr,
                       [&answers, &counts, record](Reply reply) {
                         counts += reply.counts;
                         answers.push_back(
                             {record, std::move(reply.text), std::ssize(reply.tokens), reply.finish == Finish::kStop});
                       },
                       nullptr});
      }
      part = pass.next_samples();
    }
    if (!go_on(pass.num_done() - engine.num_unfinished())) break;
  } while (engine.step() || part);
  std::sort(answers.begin(), answers.end(), [](const Answer& a, const Answer& b) { return a.record < b.record; });
  return answers;
}

/// Groups that the engines take, and what they have done; used from several threads at once.
class GroupQueue {
 public:
  GroupQueue(const std::vector<int64_t>& groups, const std::function<void(int64_t, AnswerGroup)>& each,
             const std::function<void(int64_t)>& show)
      : groups_(groups), each_(each), show_(show) {}

  /// Nothing when all are taken.
  std::optional<int64_t> take() {
    const std::scoped_lock lock(mutex_);
    return num_taken_ < groups_.size() ? std::optional(groups_[num_taken_++]) : std::nullopt;
  }

  void show(int64_t num_more) {
    const std::scoped_lock lock(mutex_);
    show_(num_done_ += num_more);
  }

  void finish(int64_t group, AnswerGroup answers, const DraftCounts& counts) {
    const std::scoped_lock lock(mutex_);
    counts_ += counts;
    each_(group, std::move(answers));
  }

  void stop() { is_stopped_ = true; }
  bool is_stopped() const { return is_stopped_ || interrupted(); }
  const DraftCounts& counts() const { return counts_; }

 private:
  const std::vector<int64_t>& groups_;
  const std::function<void(int64_t, AnswerGroup)>& each_;
  const std::function<void(int64_t)>& show_;
  std::mutex mutex_;
  size_t num_taken_ = 0;
  int64_t num_done_ = 0;
  DraftCounts counts_;
  std::atomic<bool> is_stopped_ = false;
};

/// Whether the model's operations are too small to be shared among threads.
bool is_small(const Vlm& model) {
  constexpr size_t kSmall = 64 << 20;  // bytes of weights: they stay in the processor's caches
  if (!model.device().is_cpu()) return false;
  size_t num_bytes = 0;
  for (const auto& [name, weight] : model.named_parameters()) num_bytes += weight.nbytes();
  return num_bytes <= kSmall;
}

/// Engines beside each other, of one thread each, for a small model; otherwise one of all threads, which reads the
/// weights once for all of its answers.
int64_t num_engines(const Vlm& model) { return is_small(model) ? num_threads() : 1; }

/// One sample's tokens and how likely they are.
Score score_of(const Batch& batch, int64_t sample, const at::Tensor& losses) {
  Score score;
  score.id = batch.ids[sample];
  const auto labels = batch.labels.cpu(), positions = batch.answer_positions.cpu(),
             image_tokens = batch.image_token_positions.cpu();
  const auto values = losses.to(at::kCPU, at::kDouble);
  double sum = 0;
  for (int64_t i = batch.answer_starts[sample]; i < batch.answer_starts[sample + 1]; ++i) {
    score.tokens.push_back(labels.const_data_ptr<int64_t>()[i]);
    score.logprobs.push_back(-values.const_data_ptr<double>()[i]);
    sum -= score.logprobs.back();
  }
  score.loss = score.tokens.empty() ? 0 : sum / static_cast<double>(score.tokens.size());
  const int64_t first = batch.sequence_starts[sample], end = batch.sequence_starts[sample + 1];
  const int64_t first_answer = batch.answer_starts[sample];
  score.num_prompt_tokens =
      score.tokens.empty() ? end - first : positions.const_data_ptr<int64_t>()[first_answer] + 1 - first;
  score.num_image_tokens = 0;
  for (int64_t i = 0; i < image_tokens.numel(); ++i) {
    const int64_t position = image_tokens.const_data_ptr<int64_t>()[i];
    score.num_image_tokens += first <= position && position < end;
  }
  return score;
}

}  // namespace

int64_t group_records_for(const Vlm& model) {
  constexpr int64_t kManyRecords = 256;
  return is_small(model) ? kGroupRecords : kManyRecords;
}

bool answer_groups(const Speaker& speaker, const Records& records, const AskConfig& config,
                   const std::vector<int64_t>& groups, const std::function<void(int64_t, AnswerGroup)>& each,
                   const std::function<void(int64_t)>& show) {
  GroupQueue queue(groups, each, show);
  // A parallel region's thread does the operations within it alone.
  parallel_for(0, num_engines(*speaker.model), 1, [&](int64_t, int64_t) {
    const auto begin = [&](std::optional<int64_t> group) {
      return group ? std::make_unique<GroupPass>(speaker, records, *group, config) : nullptr;
    };
    try {
      auto next = begin(queue.take());
      while (const auto now = std::move(next)) {
        next = begin(queue.take());  // its first records are prepared meanwhile
        int64_t num_shown = 0;
        DraftCounts counts;
        const auto progress = [&](int64_t num_done) {
          queue.show(num_done - std::exchange(num_shown, num_done));
          return !queue.is_stopped();
        };
        auto answers = ask(speaker, now->pass, config, progress, counts);
        if (queue.is_stopped()) return;
        for (auto& answer : answers) answer.record += now->records.first();
        progress(now->records.size());
        queue.finish(now->records.group(), {std::move(answers), now->pass.skipped()}, counts);
      }
    } catch (...) {
      queue.stop();
      throw;
    }
  });
  if (queue.is_stopped()) return false;
  if (queue.counts().drafted > 0) log_info(describe(queue.counts()));
  return true;
}

void score_all(const Speaker& speaker, const Records& records, int64_t batch_tokens, OnError on_error,
               const std::function<void(const Score&)>& each) {
  at::NoGradGuard no_grad;
  OnePass pass(records, *speaker.processor, {Encoding::kWhole, batch_tokens, on_error});
  Progress progress("scoring", "conversations", records.size());
  while (auto part = pass.next()) {
    if (interrupted()) throw std::runtime_error("stopped by an interrupt; nothing was written");
    const auto batch = to_device(std::move(part->batch), speaker.model->device());
    const auto rows = speaker.model->forward(batch, {}, speaker.pictures.get()).final_rows;
    const auto losses = cross_entropy(rows.unsqueeze(0), speaker.model->head(), batch.labels)[0];
    std::vector<Score> scores;
    for (int64_t i = 0; i < batch.num_samples(); ++i) {
      scores.push_back(score_of(batch, i, losses));
      scores.back().record = part->records[i];
    }
    std::sort(scores.begin(), scores.end(), [](const Score& a, const Score& b) { return a.record < b.record; });
    for (const auto& score : scores) each(score);
    progress.update(pass.num_done());
  }
  pass.finish("scoring");
}

}  // namespace vlsi
