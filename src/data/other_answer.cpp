#include "data/other_answer.h"

namespace vlsi {

int64_t begin_of_last_answer(const Sample& sample) {
  auto begin = std::ssize(sample.answer_positions) - 1;
  while (begin > 0 && sample.answer_positions[begin - 1] == sample.answer_positions[begin] - 1) --begin;
  return begin;
}

Sample prompt_of(const Sample& sample, int64_t begin) {
  const auto length = static_cast<size_t>(sample.answer_positions[begin]) + 1;
  Sample prompt;
  prompt.id = sample.id;
  prompt.category = sample.category;
  prompt.tokens.assign(sample.tokens.begin(), sample.tokens.begin() + static_cast<std::ptrdiff_t>(length));
  for (const auto& axis : sample.positions)
    prompt.positions.emplace_back(axis.begin(), axis.begin() + prompt.tokens.size());
  prompt.next_position = sample.positions.front()[length];  // of text, whose position is the same on every axis
  prompt.answer_positions = {sample.answer_positions[begin]};
  int64_t num_rows = 0;
  for (const int32_t place : sample.image_token_positions) {
    if (place < std::ssize(prompt.tokens)) prompt.image_token_positions.push_back(place);
  }
  for (const auto& image : sample.images) {
    if (num_rows == std::ssize(prompt.image_token_positions)) break;
    prompt.images.push_back(image);
    num_rows += image.shape.num_rows;
  }
  return prompt;
}

Sample with_answer(const Sample& sample, int64_t begin, const std::vector<int32_t>& answer) {
  Sample answered = prompt_of(sample, begin);
  int32_t place = answered.answer_positions.front();
  answered.answer_positions.clear();
  for (const int32_t token : answer) {
    answered.tokens.push_back(token);
    for (auto& axis : answered.positions) axis.push_back(answered.next_position);
    ++answered.next_position;
    answered.answer_positions.push_back(place++);
  }
  answered.labels = answer;
  if (!sample.label_weights.empty()) answered.label_weights.assign(answer.size(), sample.label_weights[begin]);
  return answered;
}

}  // namespace vlsi
