// The tiny models of tests/oracle/make_model_fixture.py and what transformers computes with them.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/safetensors.h"
#include "checkpoint/load.h"
#include "data/batch.h"
#include "family/family.h"
#include "family/llava_onevision/views.h"
#include "family/qwen_vision.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi::fixtures {

/// "qwen2_vl/tied"; without a family, Qwen2-VL's.
inline std::filesystem::path directory(const std::string& variant) {
  const auto family = variant.find('/') == std::string::npos ? "qwen2_vl" : "";
  return std::filesystem::path(VLSI_TEST_DATA) / family / variant;
}

/// The two models of every family.
inline std::vector<std::string> variants() {
  std::vector<std::string> all;
  for (const auto& family : families()) {
    for (const char* head : {"tied", "untied"}) all.push_back(concat(family.name, '/', head));
  }
  return all;
}

/// A variant in the name of a test.
inline std::string test_name(const testing::TestParamInfo<std::string>& variant) {
  auto name = variant.param;
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

inline std::string variant_name(std::string variant) {
  std::replace(variant.begin(), variant.end(), '/', '_');
  return variant;
}

inline std::vector<int32_t> integers(const at::Tensor& values) {
  const auto narrow = values.to(at::kInt).contiguous();
  return {narrow.const_data_ptr<int32_t>(), narrow.const_data_ptr<int32_t>() + narrow.numel()};
}

/// One stored sample with its activations.
class Case {
 public:
  Case(const std::string& variant, const std::string& name)
      : variant_(variant),
        name_(name),
        file_(SafetensorsFile::open(directory(variant) / ("case_" + name + ".safetensors"))) {}

  const std::string& variant() const { return variant_; }
  const std::string& name() const { return name_; }
  bool has(const std::string& tensor) const { return file_->tensors().contains(tensor); }
  at::Tensor operator[](const std::string& tensor) const { return file_->tensor(tensor); }
  int64_t integer(const std::string& tensor) const { return file_->tensor(tensor).item<int64_t>(); }

  std::vector<int32_t> integers(const std::string& tensor) const { return fixtures::integers(file_->tensor(tensor)); }
  const SafetensorsFile& file() const { return *file_; }

 private:
  std::string variant_, name_;
  std::shared_ptr<const SafetensorsFile> file_;
};

inline std::vector<Case> cases(const std::string& variant) {
  auto names = read_json(directory(variant) / "expected.json").at("cases").get<std::vector<std::string>>();
  std::reverse(names.begin(), names.end());  // not in the order of their lengths, so that packing has to sort them
  std::vector<Case> all;
  for (const auto& name : names) all.emplace_back(variant, name);
  return all;
}

/// Of a stored sample's pictures, for the model in `directory`.
inline std::vector<PictureShape> picture_shapes(const SafetensorsFile& file, const std::string& prefix,
                                                const std::filesystem::path& directory) {
  std::vector<PictureShape> shapes;
  const auto numbers = [&](const std::string& name) {
    return file.tensors().contains(prefix + name) ? integers(file.tensor(prefix + name)) : std::vector<int32_t>();
  };
  const auto grids = numbers("grids"), sizes = numbers("image_sizes");
  for (size_t i = 0; i < grids.size(); i += 3)
    shapes.push_back(shape_of({grids[i], grids[i + 1], grids[i + 2]}, /*merge=*/2));
  if (sizes.empty()) return shapes;
  const auto model = load_model_config(directory);
  const auto& config = own_config<LlavaOnevisionConfig>(model);
  for (size_t i = 0; i < sizes.size(); i += 2)
    shapes.push_back(sizes.size() > 2 ? shape_of_view(config) : shape_of_grid({sizes[i], sizes[i + 1]}, config));
  return shapes;
}

inline std::vector<PictureShape> picture_shapes(const Case& stored) {
  return picture_shapes(stored.file(), "", directory(stored.variant()));
}

/// The sample as the processor would give it.
inline Sample sample_of(const Case& stored) {
  Sample sample;
  sample.id = stored.name();
  sample.tokens = stored.integers("tokens");
  const int64_t num_axes = stored["positions"].size(0);
  sample.positions.resize(num_axes);
  for (int64_t axis = 0; axis < num_axes; ++axis) sample.positions[axis] = integers(stored["positions"][axis]);
  sample.answer_positions = stored.integers("answer_positions");
  sample.labels = stored.integers("labels");
  sample.next_position = static_cast<int32_t>(stored.integer("next_position"));
  if (!stored.has("patches")) return sample;
  sample.image_token_positions = stored.integers("image_token_positions");
  int64_t first = 0;
  for (const auto& shape : picture_shapes(stored)) {
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
