// Engines over the tiny models, and their answers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "generate/engine.h"
#include "model/kv_cache.h"
#include "tests/model/fixtures.h"
#include "text/tokenizer.h"

namespace vlsi::fixtures {

/// A tiny model of transformers' with its prompts and greedy tokens.
class SpokenModel {
 public:
  explicit SpokenModel(const std::string& variant, at::ScalarType dtype = at::kFloat)
      : model(load_vlm(directory(variant), dtype)) {
    for (const auto& stored : cases(variant)) {
      prompts.push_back(prompt_of(stored));
      greedy.push_back(stored.integers("greedy"));
    }
  }

  Engine engine(EngineConfig config = {}) const { return Engine(*model, tokenizer, nullptr, config); }

  std::shared_ptr<Vlm> model;
  Tokenizer tokenizer = Tokenizer::load(VLSI_TEST_DATA "/tiny/tokenizer");
  std::vector<Sample> prompts;
  std::vector<std::vector<int32_t>> greedy;  // [prompts][12], in float32
};

/// Bytes of so many blocks of the model's cache.
inline int64_t cache_bytes(const Vlm& model, int64_t num_blocks) {
  return num_blocks * KvCache::bytes_a_block(model.config().text, model.dtype());
}

inline Decoding of_length(int64_t max_new_tokens, std::vector<int64_t> stop_tokens = {}) {
  Decoding decoding;
  decoding.max_new_tokens = max_new_tokens;
  decoding.stop_tokens = std::move(stop_tokens);
  return decoding;
}

/// The answers to all of them at once, in their order.
inline std::vector<Reply> answer_together(Engine& engine, const std::vector<std::pair<Sample, Decoding>>& requests) {
  std::vector<Reply> replies(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    engine.submit({requests[i].first, requests[i].second, nullptr,
                   [&replies, i](Reply reply) { replies[i] = std::move(reply); }, nullptr});
  }
  while (engine.step()) {
  }
  return replies;
}

}  // namespace vlsi::fixtures
