// A model over a data file: its answers to the questions, and the likelihood of the answers that are there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/one_pass.h"
#include "generate/decoding.h"
#include "generate/engine.h"
#include "run/speaker.h"

namespace vlsi {

struct Answer {
  int64_t record;
  std::string text;
  int64_t num_tokens;
  bool stopped;  // by a stop token or text, not by max_new_tokens
};

/// So many records, one behind the other, are a group.
inline constexpr int64_t kGroupRecords = 64;

struct AskConfig {
  Decoding decoding;
  Draft draft = {};
  int64_t batch_tokens = OnePassConfig().batch_tokens;  // of prompts in a pass
  OnError on_error = OnError::kStop;
  int64_t max_sequences = 64;                        // answered at once
  int64_t cache_bytes = EngineConfig().cache_bytes;  // of keys and values; a prompt that it cannot hold is a bad record
  int64_t group_records = kGroupRecords;
};

/// Records of a group for long data: more than kGroupRecords where `model` answers one group at a time, which has few
/// answers at once at its end.
int64_t group_records_for(const Vlm& model);

struct AnswerGroup {
  std::vector<Answer> answers;  // in the order of the records
  Skipped left_out;
};

/// Answers the last user turns of the records of each of `groups` (group g begins with record g * group_records)
/// together, and apart from all others: in a batch with other prompts a sum may be rounded otherwise, and so a group's
/// answers are the same to the bit whatever else is asked before it, after it, or by another process. `each` gets a
/// group with its number as soon as it is answered, `show` the number of records done so far; several groups may be
/// answered at once, but one thread at a time calls. False when it was interrupted.
bool answer_groups(const Speaker& speaker, const Records& records, const AskConfig& config,
                   const std::vector<int64_t>& groups, const std::function<void(int64_t, AnswerGroup)>& each,
                   const std::function<void(int64_t)>& show);

struct Score {
  int64_t record;
  std::string id;
  std::vector<int64_t> tokens;   // labels at the answer positions, end of turn included
  std::vector<double> logprobs;  // natural logarithm
  double loss;                   // mean negative log-likelihood
  int64_t num_prompt_tokens, num_image_tokens;
};

/// Scores the answers of every record; `each` is called in the file's order.
void score_all(const Speaker& speaker, const Records& records, int64_t batch_tokens, OnError on_error,
               const std::function<void(const Score&)>& each);

}  // namespace vlsi
