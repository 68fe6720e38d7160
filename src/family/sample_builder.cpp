#include "family/sample_builder.h"

#include <algorithm>

namespace vlsi {
namespace {

/// The weight of every byte of the text's normal form: each stretch of equal weight is as long as it makes its text.
/// What a normal form joins over the border of two stretches counts for the first.
std::vector<double> weights_of_normal_form(const Tokenizer& tokenizer, std::string_view text, const double* weights) {
  std::vector<double> result;
  for (size_t begin = 0; begin < text.size();) {
    const size_t length = text.size() - begin;
    const double* last = std::find_if(weights + begin, weights + begin + length,
                                      [&](double weight) { return weight != weights[begin]; });
    const auto end = static_cast<size_t>(last - weights);
    result.resize(std::max(result.size(), tokenizer.normalized(text.substr(0, end)).size()), weights[begin]);
    begin = end;
  }
  return result;
}

}  // namespace

void SampleBuilder::add_control(int32_t token, double weight) {
  sample_.tokens.push_back(token);
  weights_.push_back(weight);
  positions_.add_text(1);
}

void SampleBuilder::add_text(std::string_view text, SpecialText special_text, const double* weights) {
  const auto tokens = tokenizer_.encode(text, special_text);
  std::vector<double> of_bytes;
  if (weights != nullptr) of_bytes = weights_of_normal_form(tokenizer_, text, weights);
  size_t begin = 0;
  for (const int32_t token : tokens) {
    add_control(token, begin < of_bytes.size() ? of_bytes[begin] : 0);
    if (weights != nullptr) begin += tokenizer_.bytes(token).size();
  }
}

void SampleBuilder::add_picture(PicturePatches patches, const std::array<int64_t, 3>& grid) {
  for (int64_t i = 0; i < patches.shape.num_rows; ++i) {
    sample_.image_token_positions.push_back(static_cast<int32_t>(sample_.tokens.size()));
    sample_.tokens.push_back(picture_token_);
    weights_.push_back(0);
  }
  if (positions_.axes().size() == 3) {
    positions_.add_grid(grid[0], grid[1], grid[2]);
  } else {
    positions_.add_text(patches.shape.num_rows);
  }
  sample_.images.push_back(std::move(patches));
}

Sample SampleBuilder::finish() {
  for (size_t i = 1; i < weights_.size(); ++i) {
    if (weights_[i] == 0) continue;
    sample_.answer_positions.push_back(static_cast<int32_t>(i) - 1);
    sample_.labels.push_back(sample_.tokens[i]);
    sample_.label_weights.push_back(static_cast<float>(weights_[i]));
  }
  const auto is_one = [](float weight) { return weight == 1; };
  if (std::all_of(sample_.label_weights.begin(), sample_.label_weights.end(), is_one)) sample_.label_weights.clear();
  sample_.positions = positions_.axes();
  sample_.next_position = positions_.next();
  return std::move(sample_);
}

}  // namespace vlsi
