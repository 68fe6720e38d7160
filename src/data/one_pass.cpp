#include "data/one_pass.h"

#include "base/error.h"

namespace vlsi {

OnePass::OnePass(const Records& records, const Processor& processor, const OnePassConfig& config)
    : records_(records), processor_(processor), config_(config) {
  ahead_ = std::async(std::launch::async, [this] { return read(0); });
}

std::optional<OnePass::Part> OnePass::next() {
  while (ahead_.valid()) {
    Read read_now = ahead_.get();
    if (read_now.end < records_.size()) {
      ahead_ = std::async(std::launch::async, [this, first = read_now.end] { return read(first); });
    }
    num_done_ = read_now.end;
    skipped_.add(std::move(read_now.skipped));
    if (read_now.samples.empty()) continue;  // all of them were left out
    Part part{pack(read_now.samples), {}};
    for (const int64_t index : part.batch.order) part.records.push_back(read_now.records[index]);
    return part;
  }
  return std::nullopt;
}

OnePass::Read OnePass::read(int64_t first) const {
  Read result;
  int64_t num_tokens = 0, record = first;
  for (; record < records_.size(); ++record) {
    Sample sample;
    try {
      sample = encode(record);
    } catch (const Error& error) {
      if (config_.on_error == OnError::kStop) throw;
      result.skipped.add(error.what());
      continue;
    }
    const auto length = static_cast<int64_t>(sample.tokens.size());
    if (num_tokens > 0 && num_tokens + length > config_.batch_tokens) break;
    num_tokens += length;
    result.samples.push_back(std::move(sample));
    result.records.push_back(record);
  }
  result.first = first;
  result.end = record;
  return result;
}

Sample OnePass::encode(int64_t record) const {
  const bool whole = config_.encoding == Encoding::kWhole;
  const Conversation conversation = records_.read(record, /*answers_required=*/whole);
  try {
    auto sample = whole ? processor_.encode(conversation) : processor_.encode_prompt(conversation);
    check_length(sample, config_.sample_tokens, std::numeric_limits<int64_t>::max());
    return sample;
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
