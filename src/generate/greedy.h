// Greedy generation: the most likely token, again and again. (B prompts, D width, V vocabulary)
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "data/batch.h"
#include "model/vlm.h"

namespace vlsi {

struct GreedyConfig {
  int64_t max_new_tokens = 128;
  std::vector<int64_t> stop_tokens = {};  // end an answer; not part of it
  PictureFeatures* pictures = nullptr;    // for Vlm::forward
};

struct Generated {
  std::vector<int32_t> tokens;  // without the stop token
  bool stopped = false;         // by a stop token; otherwise by max_new_tokens
};

/// Continues every prompt of the batch, whose answer positions are the prompts' last tokens. In the batch's order.
/// Logits are compared in float32, the lowest id first among equals. `on_tokens`, where given, is told each step's
/// token of every sequence that goes on.
std::vector<Generated> generate_greedy(const Vlm& model, const Batch& prompts, const GreedyConfig& config,
                                       const std::function<void(int64_t sequence, int32_t token)>& on_token = {});

/// The stop tokens of a model directory: generation_config.json's eos_token_id (a number or a list), else
/// all of config.json's.
std::vector<int64_t> stop_tokens(const std::filesystem::path& directory, const ModelConfig& config);

}  // namespace vlsi
