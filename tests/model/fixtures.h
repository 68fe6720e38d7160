// The tiny Qwen2-VL models of tests/oracle/make_model_fixture.py and what transformers computes with them.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/safetensors.h"
#include "checkpoint/load.h"
#include "data/batch.h"
#include "family/qwen2_vl/pictures.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi::fixtures {

inline std::filesystem::path directory(const std::string& variant) {
  return std::filesystem::path(VLSI_TEST_DATA) / "qwen2_vl" / variant;
}

/// One stored sample with its activations.
class Case {
 public:
  Case(const std::string& variant, const std::string& name)
      : name_(name), file_(SafetensorsFile::open(directory(variant) / ("case_" + name + ".safetensors"))) {}

  const std::string& name() const { return name_; }
  bool has(const std::string& tensor) const { return file_->tensors().contains(tensor); }
  at::Tensor operator[](const std::string& tensor) const { return file_->tensor(tensor); }
  int64_t integer(const std::string& tensor) const { return file_->tensor(tensor).item<int64_t>(); }

  std::vector<int32_t> integers(const std::string& tensor) const { return integers(file_->tensor(tensor)); }
  static std::vector<int32_t> integers(const at::Tensor& values) {
    const auto narrow = values.to(at::kInt).contiguous();
    return {narrow.const_data_ptr<int32_t>(), narrow.const_data_ptr<int32_t>() + narrow.numel()};
  }

 private:
  std::string name_;
  std::shared_ptr<const SafetensorsFile> file_;
};

inline std::vector<Case> cases(const std::string& variant) {
  // Not in the order of their lengths, so that packing has to sort them.
  return {Case(variant, "two_images"), Case(variant, "text"), Case(variant, "one_image")};
}

/// The sample as the processor would give it.
inline Sample sample_of(const Case& stored) {
  Sample sample;
  sample.id = stored.name();
  sample.tokens = stored.integers("tokens");
  sample.positions.resize(3);
  for (int64_t axis = 0; axis < 3; ++axis) sample.positions[axis] = Case::integers(stored["positions"][axis]);
  sample.answer_positions = stored.integers("answer_positions");
  sample.labels = stored.integers("labels");
  sample.next_position = static_cast<int32_t>(stored.integer("next_position"));
  if (!stored.has("grids")) return sample;
  sample.image_token_positions = stored.integers("image_token_positions");
  const auto grids = stored.integers("grids");
  int64_t first = 0;
  for (size_t i = 0; i < grids.size(); i += 3) {
    const auto shape = shape_of({grids[i], grids[i + 1], grids[i + 2]}, /*merge=*/2);
    sample.images.push_back({stored["patches"].narrow(0, first, shape.num_patches), shape});
    first += shape.num_patches;
  }
  return sample;
}

/// The same sample, asking for every row.
inline Sample at_all_positions(Sample sample) {
  sample.labels.clear();
  sample.answer_positions.clear();
  for (size_t i = 0; i < sample.tokens.size(); ++i) sample.answer_positions.push_back(static_cast<int32_t>(i));
  return sample;
}

/// What stands before the first answer, asking for its last row.
inline Sample prompt_of(const Case& stored) {
  Sample sample = sample_of(stored);
  const auto length = static_cast<size_t>(stored.integer("prompt_length"));
  sample.tokens.resize(length);
  for (auto& axis : sample.positions) axis.resize(length);
  sample.labels.clear();
  sample.answer_positions = {static_cast<int32_t>(length) - 1};
  sample.next_position = sample.positions[0].back() + 1;  // a prompt ends with text: its axes are equal
  return sample;
}

/// Cross entropy summed over the batch's labels, through the model's language head.
inline at::Tensor summed_loss(const Vlm& model, const Batch& batch) {
  const auto logits = at::linear(model.forward(batch, {}).final_rows, model.head());
  return at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::Sum);
}

/// Largest absolute difference; NaN when either has one, so that a comparison with it fails.
inline double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

inline at::Tensor random(at::IntArrayRef shape, uint64_t seed, at::ScalarType dtype = at::kFloat) {
  const auto generator = at::detail::createCPUGenerator(seed);  // of its own: ranks of a test are threads
  return at::randn(shape, generator, at::TensorOptions(dtype));
}

inline std::map<std::string, at::Tensor> by_name(const NamedTensors& tensors) {
  return {tensors.begin(), tensors.end()};
}

}  // namespace vlsi::fixtures
