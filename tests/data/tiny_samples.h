// The records of tests/data/tiny and a longer conversation, as the tiny student is shown them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "data/dataset.h"
#include "family/family.h"

namespace vlsi::tiny_samples {

inline const Processor& processor() {
  static const std::filesystem::path folder = VLSI_TEST_DATA "/tiny";
  static const auto model = parse_model_config(read_json(folder / "student.json"), "student.json");
  static const auto made = family_of(model).make_processor(folder / "tokenizer", model, SpecialText::kControl);
  return *made;
}

inline std::vector<Conversation> conversations() {
  const RecordFile file(VLSI_TEST_DATA "/tiny/train.json");
  std::vector<Conversation> found;
  for (int64_t record = 0; record < 5; ++record) found.push_back(file.read(record));
  return found;
}

inline std::vector<Sample> stored() {
  std::vector<Sample> samples;
  for (const auto& conversation : conversations()) samples.push_back(processor().encode(conversation));
  return samples;
}

/// Two questions about two pictures, one each, and their answers.
inline Conversation two_rounds() {
  auto rounds = conversations()[0];
  const auto more = conversations()[1];
  rounds.turns.insert(rounds.turns.end(), more.turns.begin(), more.turns.end());
  return rounds;
}

}  // namespace vlsi::tiny_samples
