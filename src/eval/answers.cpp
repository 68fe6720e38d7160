#include "eval/answers.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "generate/engine.h"
#include "objective/cross_entropy.h"

namespace vlsi {
namespace {

void stop_if_interrupted() {
  if (interrupted()) throw std::runtime_error("stopped by an interrupt; nothing was written");
}

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

std::vector<Answer> answer_all(const Speaker& speaker, const Records& records, const AskConfig& config) {
  const int64_t context = speaker.model->config().text.max_position_embeddings;
  OnePass pass(records, *speaker.processor, {Encoding::kPrompt, config.batch_tokens, config.on_error, context - 1});
  Engine engine(*speaker.model, speaker.processor->tokenizer(), speaker.pictures.get(),
                {.max_sequences = config.max_sequences, .prompt_tokens = config.batch_tokens, .draft = config.draft});
  Progress progress("answering", "questions", records.size());
  std::vector<Answer> answers;
  DraftCounts counts;
  auto part = pass.next_samples();
  do {
    stop_if_interrupted();
    while (part && engine.num_waiting() < config.max_sequences) {
      for (size_t i = 0; i < part->samples.size(); ++i) {
        const int64_t record = part->records[i];
        engine.submit({std::move(part->samples[i].own), config.decoding, nullptr,
                       [&answers, &counts, record](Reply reply) {
                         counts += reply.counts;
                         answers.push_back({record, std::move(reply.text), reply.finish == Finish::kStop});
                       },
                       nullptr});
      }
      part = pass.next_samples();
    }
    progress.update(pass.num_done() - engine.num_unfinished());
  } while (engine.step() || part);
  std::sort(answers.begin(), answers.end(), [](const Answer& a, const Answer& b) { return a.record < b.record; });
  pass.finish("answering");
  if (counts.drafted > 0) log_info(describe(counts));
  return answers;
}

void score_all(const Speaker& speaker, const Records& records, int64_t batch_tokens, OnError on_error,
               const std::function<void(const Score&)>& each) {
  at::NoGradGuard no_grad;
  OnePass pass(records, *speaker.processor, {Encoding::kWhole, batch_tokens, on_error});
  Progress progress("scoring", "conversations", records.size());
  while (auto part = pass.next()) {
    stop_if_interrupted();
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
