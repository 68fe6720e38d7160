// Records read once, in order, as packed batches: for scoring, answering and evaluating.
#pragma once

#include <cstdint>
#include <future>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "data/sample_pair.h"

namespace vlsi {

enum class Encoding {
  kWhole,   // Processor::encode: with the answers
  kPrompt,  // Processor::encode_prompt: up to the last user turn
};

struct OnePassConfig {
  Encoding encoding = Encoding::kWhole;
  int64_t batch_tokens = LoaderConfig().batch_tokens;  // a longer sample gets a batch of its own
  OnError on_error = OnError::kStop;
  /// A longer sample is an error, or skipped and counted; of a prompt, what the model's context has for it.
  int64_t sample_tokens = std::numeric_limits<int64_t>::max();
};

class OnePass {
 public:
  /// `records` and the processors of `maker` must outlive it. Prompts are the own processor's.
  OnePass(const Records& records, const SampleMaker& maker, const OnePassConfig& config);

  struct Part {
    Batch batch;
    std::vector<int64_t> records;  // [B], the record of each of the batch's samples
  };
  struct Samples {
    std::vector<SamplePair> samples;
    std::vector<int64_t> records;  // of each sample
  };
  /// The next records, as many as fit into a batch; those after them are prepared meanwhile. Nothing at the end.
  std::optional<Samples> next_samples();
  /// The same, packed.
  std::optional<Part> next();
  /// Records delivered or left out so far.
  int64_t num_done() const { return num_done_; }
  /// What was left out so far.
  const Skipped& skipped() const { return skipped_; }
  /// At the end: warns of what was left out (report_skipped), `job` being what the pass was for. Error when that is
  /// every record.
  void finish(const std::string& job) const;

 private:
  struct Read {
    Samples good;
    Skipped skipped;
    int64_t first = 0, end = 0;
  };
  Read read(int64_t first) const;
  SamplePair encode(int64_t record) const;

  const Records& records_;
  const SampleMaker maker_;
  OnePassConfig config_;
  Skipped skipped_;
  int64_t num_done_ = 0;
  std::future<Read> ahead_;
};

}  // namespace vlsi
