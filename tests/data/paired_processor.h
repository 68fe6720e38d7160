// Processors of two models for tests of pairs: a tokenizer's own text, and a system turn of any length before it.
#pragma once

#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "data/processor.h"

namespace vlsi {

/// A conversation becomes `num_system` tokens, its questions, and its answers with an end of turn, which are learnt.
class PairedProcessor : public Processor {
 public:
  PairedProcessor(const std::filesystem::path& tokenizer, int64_t num_system, int32_t end_of_turn = 309)
      : tokenizer_(Tokenizer::load(tokenizer)), num_system_(num_system), end_of_turn_(end_of_turn) {}

  Sample encode(const Conversation& conversation) const override {
    Sample sample;
    sample.id = conversation.id;
    sample.tokens.assign(static_cast<size_t>(num_system_), 0);
    for (const auto& turn : conversation.turns) {
      const bool is_answer = turn.role == Role::kAssistant;
      auto tokens = tokenizer_.encode(text_of(turn));
      if (is_answer) tokens.push_back(end_of_turn_);
      for (const int32_t token : tokens) {
        if (is_answer) {
          sample.answer_positions.push_back(static_cast<int32_t>(sample.tokens.size()) - 1);
          sample.labels.push_back(token);
        }
        sample.tokens.push_back(token);
      }
    }
    sample.positions.assign(1, std::vector<int32_t>(sample.tokens.size()));
    std::iota(sample.positions[0].begin(), sample.positions[0].end(), 0);
    return sample;
  }
  Sample encode_prompt(const Conversation& conversation) const override { return encode(conversation); }
  const Tokenizer& tokenizer() const override { return tokenizer_; }
  int32_t end_of_turn() const override { return end_of_turn_; }
  ProcessorFingerprint fingerprint() const override { return {"", std::to_string(num_system_), ""}; }

 private:
  Tokenizer tokenizer_;
  int64_t num_system_;
  int32_t end_of_turn_;
};

}  // namespace vlsi
