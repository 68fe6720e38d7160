// A processor whose outlines lack the rows of pictures, with pictures that are found broken when they are read only.
#pragma once

#include <ATen/ATen.h>

#include "tests/data/fake_processor.h"

namespace vlsi {

/// As FakeProcessor; a picture has a row of two numbers. That of a file broken*.png cannot be read.
class OutliningProcessor : public FakeProcessor {
 public:
  Sample encode(const Conversation& conversation) const override {
    auto sample = outline(conversation);
    fill(conversation, sample);
    return sample;
  }
  Sample outline(const Conversation& conversation) const override {
    auto sample = FakeProcessor::encode(conversation);
    for (const auto& content : conversation.turns.at(0).contents) {
      if (content.kind == Content::Kind::kImage) sample.images.push_back({{}, {1, 1, {}}});
    }
    return sample;
  }
  void fill(const Conversation& conversation, Sample& outline) const override {
    auto next = outline.images.begin();
    for (const auto& content : conversation.turns.at(0).contents) {
      if (content.kind != Content::Kind::kImage) continue;
      num_read += 1;
      const auto name = content.image.filename().string();
      if (name.starts_with("broken")) fail("cannot read picture ", name);
      (next++)->rows = at::full({1, 2}, static_cast<double>(outline.tokens.front()), at::kFloat);
    }
  }

  mutable std::atomic<int> num_read = 0;  // pictures
};

}  // namespace vlsi
