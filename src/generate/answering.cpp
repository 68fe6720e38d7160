#include "generate/answering.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/checksum.h"
#include "generate/logit_rules.h"
#include "generate/sampling.h"
#include "model/kv_cache.h"

namespace vlsi {
namespace {

/// A mark of each prompt token that is a picture's, the same for the same row of an equal picture.
std::vector<uint64_t> mark_pictures(const Sample& prompt) {
  std::vector<uint64_t> marks(prompt.tokens.size(), 0);
  size_t place = 0;
  for (const auto& image : prompt.images) {
    const uint64_t fingerprint = fingerprint_of(image);
    for (int64_t row = 0; row < image.shape.num_rows; ++row, ++place) {
      // Odd, so never 0.
      marks[prompt.image_token_positions[place]] = (fingerprint + static_cast<uint64_t>(row)) | 1U;
    }
  }
  return marks;
}

double log_sum_exp(std::span<const float> logits) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  return highest + std::log(sum);
}

}  // namespace

Answering::Answering(Request request, int64_t max_new_tokens, const Tokenizer& tokenizer)
    : request_(std::move(request)),
      num_prompt_(std::ssize(request_.prompt.tokens)),
      max_new_tokens_(max_new_tokens),
      has_rules_(has_logit_rules(request_.decoding)),
      takes_logits_(request_.decoding.sample || request_.decoding.top_logprobs || has_rules_),
      branches_{Branch{request_.prompt.tokens, {}, 0}},
      picture_marks_(mark_pictures(request_.prompt)),
      random_(request_.decoding.seed),
      text_(tokenizer, request_.decoding.stop) {
  if (num_beams() > 1) search_.emplace(request_.decoding, max_new_tokens_);
  reply_.num_prompt_tokens = num_prompt_;
  reply_.num_image_tokens = std::ssize(request_.prompt.image_token_positions);
}

void Answering::end_reading() {
  is_reading_ = false;
  picture_rows_.reset();
}

const PictureRows& Answering::picture_rows(const Vlm& model, PictureFeatures* pictures) {
  if (!picture_rows_) {
    picture_rows_ = model.look_at_pictures(to_device(pack({prompt()}), model.device()), pictures);
  }
  return *picture_rows_;
}

int64_t Answering::position_of(int64_t axis, int64_t token) const {
  if (token < num_prompt_) return prompt().positions[axis][token];
  return prompt().next_position + (token - num_prompt_);
}

const std::vector<BlockKey>& Answering::keys_of(int64_t count) {
  const auto& tokens = branches_.front().tokens;
  while (std::ssize(keys_) < count) {
    Checksum checksum(keys_.empty() ? request_.group : keys_.back());
    std::vector<int64_t> contents;
    for (int64_t i = 0; i < KvCache::kBlockTokens; ++i) {
      const int64_t token = std::ssize(keys_) * KvCache::kBlockTokens + i;
      contents.push_back(tokens[token]);
      contents.push_back(token < num_prompt_ ? static_cast<int64_t>(picture_marks_[token]) : 0);
      for (int64_t axis = 0; axis < std::ssize(prompt().positions); ++axis)
        contents.push_back(position_of(axis, token));
    }
    checksum.update(std::as_bytes(std::span(contents)));
    keys_.push_back(checksum.value());
  }
  return keys_;
}

void Answering::note_logprobs(std::span<const float> logits, int32_t token) {
  const double total = log_sum_exp(logits);
  TokenLogprob noted{token, logits[token] - total, {}};
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = std::min<int64_t>(*request_.decoding.top_logprobs, std::ssize(logits));
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
  for (int64_t i = 0; i < count; ++i) noted.likely.emplace_back(order[i], logits[order[i]] - total);
  logprob_ = std::move(noted);
}

int32_t Answering::choose(std::span<float> logits) {
  const auto& decoding = request_.decoding;
  const std::vector<float> given(decoding.top_logprobs ? std::vector<float>(logits.begin(), logits.end())
                                                       : std::vector<float>());
  apply_logit_rules(decoding, branches_.front().tokens, num_prompt_, logits);
  int32_t token = 0;
  if (decoding.sample) {
    warp_logits(decoding, logits);
    token = draw_token(logits, random_);
  } else {
    token = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  if (decoding.top_logprobs) note_logprobs(given, token);
  return token;
}

int32_t Answering::expect(const at::Tensor& logits) const {
  const auto row = logits.to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  const std::span values(row.mutable_data_ptr<float>(), static_cast<size_t>(row.numel()));
  auto tokens = branches_.front().tokens;
  tokens.insert(tokens.end(), branches_.front().draft.begin(), branches_.front().draft.end());
  apply_logit_rules(request_.decoding, tokens, num_prompt_, values);
  return static_cast<int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

bool Answering::append(int32_t token) {
  if (request_.decoding.stops_at(token)) {
    reply_.finish = Finish::kStop;
    return false;
  }
  branches_.front().tokens.push_back(token);
  reply_.tokens.push_back(token);
  if (logprob_) {
    reply_.logprobs.push_back(*std::move(logprob_));
    if (request_.on_logprob) request_.on_logprob(reply_.logprobs.back());
  }
  logprob_.reset();
  const bool goes_on = tell(text_.push(token));
  if (text_.is_stopped()) {
    reply_.finish = Finish::kStop;
    return false;
  }
  return goes_on && std::ssize(reply_.tokens) < max_new_tokens_;
}

bool Answering::advance_beams(std::span<float> log_probs, int64_t vocab_size) {
  for (size_t i = 0; i < branches_.size(); ++i) {
    apply_logit_rules(request_.decoding, branches_[i].tokens, num_prompt_,
                      log_probs.subspan(i * static_cast<size_t>(vocab_size), static_cast<size_t>(vocab_size)));
  }
  if (search_->advance(log_probs, vocab_size)) return tell();
  auto tokens = search_->best();
  if (request_.decoding.stops_at(tokens.back())) {
    reply_.finish = Finish::kStop;
    tokens.pop_back();
  }
  for (const int32_t token : tokens) tell(text_.push(token));
  reply_.tokens = std::move(tokens);
  return false;
}

void Answering::restart() {
  is_reading_ = true;
  if (search_) {
    search_.emplace(request_.decoding, max_new_tokens_);
    branches_ = {Branch{prompt().tokens, {}, 0}};
  } else {
    branches_.front().blocks.clear();
    branches_.front().num_known = 0;
  }
}

bool Answering::tell(std::string_view text) {
  if (is_cancelled_ || !request_.on_text) return !is_cancelled_;
  is_cancelled_ = !request_.on_text(text);
  if (is_cancelled_) reply_.finish = Finish::kCancelled;
  return !is_cancelled_;
}

void Answering::finish() {
  const auto rest = text_.finish();
  if (!rest.empty()) tell(rest);
  reply_.text = text_.text();
  if (request_.on_reply) request_.on_reply(std::move(reply_));
}

}  // namespace vlsi
