// A model over a data file: its answers to the questions, and the likelihood of the answers that are there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/one_pass.h"
#include "generate/decoding.h"
#include "generate/draft.h"
#include "run/speaker.h"

namespace vlsi {

struct Answer {
  int64_t record;
  std::string text;
  bool stopped;  // by a stop token or text, not by max_new_tokens
};

struct AskConfig {
  Decoding decoding;
  Draft draft = {};
  int64_t batch_tokens = 4096;  // of prompts in a pass
  OnError on_error = OnError::kStop;
  int64_t max_sequences = 64;  // answered at once
};

/// The answer to every record's last user turn, in their order; bad records are left out with kSkip.
std::vector<Answer> answer_all(const Speaker& speaker, const Records& records, const AskConfig& config);

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
