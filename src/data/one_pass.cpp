#include "data/one_pass.h"

#include <algorithm>

#include "base/error.h"

namespace vlsi {

OnePass::OnePass(const Records& records, const SampleMaker& maker, const OnePassConfig& config)
    : records_(records), maker_(maker), config_(config) {
  ahead_ = std::async(std::launch::async, [this] { return read(0); });
}

std::optional<OnePass::Samples> OnePass::next_samples() {
  while (ahead_.valid()) {
    Read read_now = ahead_.get();
    if (read_now.end < records_.size()) {
      ahead_ = std::async(std::launch::async, [this, first = read_now.end] { return read(first); });
    }
    num_done_ = read_now.end;
    skipped_.add(std::move(read_now.skipped));
    if (!read_now.good.samples.empty()) return std::move(read_now.good);  // otherwise all of them were left out
  }
  return std::nullopt;
}

std::optional<OnePass::Part> OnePass::next() {
  const auto found = next_samples();
  if (!found) return std::nullopt;
  Part part{pack_pairs(found->samples), {}};
  for (const int64_t index : part.batch.order) part.records.push_back(found->records[index]);
  return part;
}

OnePass::Read OnePass::read(int64_t first) const {
  Read result;
  int64_t num_own = 0, num_teachers = 0, record = first;  // tokens of either model
  for (; record < records_.size(); ++record) {
    SamplePair sample;
    try {
      sample = encode(record);
    } catch (const Error& error) {
      if (config_.on_error == OnError::kStop) throw;
      result.skipped.add(error.what());
      continue;
    }
    num_own += std::ssize(sample.own.tokens);
    if (sample.teachers) num_teachers += std::ssize(sample.teachers->tokens);
    if (!result.good.samples.empty() && std::max(num_own, num_teachers) > config_.batch_tokens) break;
    result.good.samples.push_back(std::move(sample));
    result.good.records.push_back(record);
  }
  result.first = first;
  result.end = record;
  return result;
}

SamplePair OnePass::encode(int64_t record) const {
  const bool whole = config_.encoding == Encoding::kWhole;
  const Conversation conversation = records_.read(record, /*answers_required=*/whole);
  try {
    constexpr auto kNoLimit = std::numeric_limits<int64_t>::max();
    if (whole) return maker_.encode(conversation, config_.sample_tokens, kNoLimit);
    SamplePair prompt{maker_.own().outline_prompt(conversation), std::nullopt};
    check_prompt_length(prompt.own, config_.sample_tokens);
    maker_.fill(conversation, prompt);
    return prompt;
  } catch (const Error& error) {
    fail(records_.place(record), ": ", error.what());
  }
}

void OnePass::finish(const std::string& job) const {
  if (skipped_.count == records_.size()) {
    fail(job, ": every one of the ", records_.size(), " records of ", records_.path().string(),
         " was left out; the first: ", skipped_.reasons.front());
  }
  report_skipped(skipped_, job);
}

}  // namespace vlsi
