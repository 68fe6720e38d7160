// A model over a data file: its answers to the questions, and the likelihood of the answers that are there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/one_pass.h"
#include "data/processor.h"
#include "model/vlm.h"

namespace vlsi {

/// A loaded model with what turns conversations into its input.
struct LoadedModel {
  std::shared_ptr<Vlm> vlm;
  std::unique_ptr<Processor> processor;
  std::vector<int64_t> stop_tokens;
  std::shared_ptr<PictureFeatures> pictures;  // what the tower made of them
};

LoadedModel load_model(const std::filesystem::path& directory, at::ScalarType dtype, at::Device device,
                       SpecialText special_text = SpecialText::kControl);

struct Answer {
  int64_t record;
  std::string text;
  bool stopped;  // by the end of turn, not by max_new_tokens
};

/// The greedy answer to every record's last user turn, in their order; bad records are left out with kSkip.
std::vector<Answer> answer_all(const LoadedModel& model, const Records& records, int64_t max_new_tokens,
                               int64_t batch_tokens, OnError on_error);

struct Score {
  int64_t record;
  std::string id;
  std::vector<int64_t> tokens;   // labels at the answer positions, end of turn included
  std::vector<double> logprobs;  // natural logarithm
  double loss;                   // mean negative log-likelihood
  int64_t num_prompt_tokens, num_image_tokens;
};

/// Scores the answers of every record; `each` is called in the file's order.
void score_all(const LoadedModel& model, const Records& records, int64_t batch_tokens, OnError on_error,
               const std::function<void(const Score&)>& each);

}  // namespace vlsi
