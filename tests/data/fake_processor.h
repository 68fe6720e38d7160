// A processor without a tokenizer: the record itself says how long its sample is.
#pragma once

#include <atomic>
#include <chrono>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/error.h"
#include "data/processor.h"

namespace vlsi {

/// A question "7" becomes seven tokens that hold a number of the record; pictures only have to exist.
class FakeProcessor : public Processor {
 public:
  Sample encode(const Conversation& conversation) const override {
    num_encoded += 1;
    Sample sample;
    sample.id = conversation.id;
    int length = 0;
    for (const auto& content : conversation.turns.at(0).contents) {
      if (content.kind == Content::Kind::kText) length = std::stoi(content.text);
      if (content.kind == Content::Kind::kImage && !std::filesystem::exists(content.image)) {
        fail("read picture ", content.image.string(), ": no such file");
      }
    }
    if (length == 666) throw std::bad_alloc();
    // Uneven times, so that workers overtake one another.
    std::this_thread::sleep_for(std::chrono::microseconds(std::hash<std::string>{}(sample.id) % 4 * 20));
    sample.tokens.assign(length, static_cast<int32_t>(std::hash<std::string>{}(sample.id) % 1000));
    sample.positions.assign(3, std::vector<int32_t>(length, 0));
    sample.answer_positions = {length - 1};
    sample.labels = {1};
    return sample;
  }
  Sample encode_prompt(const Conversation& conversation) const override { return encode(conversation); }
  const Tokenizer& tokenizer() const override { throw std::logic_error("there is none"); }
  int32_t end_of_turn() const override { return 0; }
  ProcessorFingerprint fingerprint() const override { return {}; }

  mutable std::atomic<int> num_encoded = 0;
};

}  // namespace vlsi
