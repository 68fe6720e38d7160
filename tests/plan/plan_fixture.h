// Small models in files, as plans read them, and what running them costs.
#pragma once

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/load.h"
#include "checkpoint/save.h"
#include "data/batch.h"
#include "family/qwen2_vl/config.h"
#include "model/parts.h"
#include "plan/step_memory.h"
#include "run/config.h"
#include "tests/data/data_files.h"
#include "tests/support/initialize_vlm.h"

namespace vlsi::plan_fixture {

inline ModelConfig small_config(int64_t num_layers, int64_t width, bool tied) {
  ModelConfig config;
  config.text.vocab_size = 512;
  config.text.hidden_size = width;
  config.text.intermediate_size = 4 * width;
  config.text.num_hidden_layers = num_layers;
  config.text.num_attention_heads = 4;
  config.text.num_key_value_heads = 2;
  config.text.rope_sections = {width / 32, width / 32, width / 16};  // half a head's width together
  config.text.tie_word_embeddings = tied;
  // As in the tokenizer of tests/data/tiny.
  config.family = "qwen2_vl";
  config.bos_token_id = 312, config.eos_token_ids = {314}, config.image_token_id = 318;
  const auto own = std::make_shared<Qwen2VlConfig>();
  own->vision_start_token_id = 315, own->vision_end_token_id = 316, own->vision_token_id = 317;
  own->video_token_id = 319;
  own->depth = 1;
  own->patch_size = 8;
  own->embed_dim = 16;
  own->num_heads = 2;
  own->hidden_size = width;
  config.own = own;
  return config;
}

/// A model directory with random weights, and its sizes.
class StoredModel {
 public:
  StoredModel(const std::filesystem::path& path, const ModelConfig& config, at::ScalarType stored, at::ScalarType dtype)
      : path_(path) {
    save_vlm(path, *initialize_vlm(config, Initializer::kFanIn, /*seed=*/1), stored, VLSI_TEST_DATA "/tiny/tokenizer");
    sizes_ = read_model_sizes(path, dtype);
  }
  const std::filesystem::path& path() const { return path_; }
  const ModelSizes& sizes() const { return sizes_; }

 private:
  std::filesystem::path path_;
  ModelSizes sizes_;
};

/// `count` samples of `length` tokens, of which the last `answers` are answers.
inline Batch text_batch(int64_t count, int64_t length, int64_t answers) {
  std::vector<Sample> samples(static_cast<size_t>(count));
  for (auto& sample : samples) {
    sample.positions.resize(3);
    for (int64_t i = 0; i < length; ++i) {
      sample.tokens.push_back(static_cast<int32_t>(i * 7 % 300));
      for (auto& axis : sample.positions) axis.push_back(static_cast<int32_t>(i));
    }
    for (int64_t i = length - answers; i < length; ++i) {
      sample.answer_positions.push_back(static_cast<int32_t>(i));
      sample.labels.push_back(static_cast<int32_t>(i % 300));
    }
  }
  return pack(samples);
}

inline DataShape shape_of(const Batch& batch) {
  DataShape data;
  data.largest = data.mean = {static_cast<double>(batch.num_samples()), static_cast<double>(batch.num_tokens()),
                              static_cast<double>(batch.num_answers()), 0, 0};
  data.teacher_largest = data.teacher_mean = data.largest;
  data.tokens = static_cast<double>(batch.num_tokens());
  data.distinct_tokens = 300;
  data.epoch_records = static_cast<double>(batch.num_samples());
  return data;
}

inline double part(const std::vector<MemoryPart>& parts, std::string_view name) {
  for (const auto& part : parts) {
    if (part.name == name) return part.bytes;
  }
  ADD_FAILURE() << "no part " << name;
  return 0;
}

/// Multiplications and additions of the matrix products that `body` asks LibTorch for on this thread.
template <class Body>
double product_flops(const Body& body) {
  static thread_local double flops;
  flops = 0;
  const auto count = [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
    const std::string_view name = function.name();
    if (name != "aten::mm" && name != "aten::addmm" && name != "aten::addmm_") return nullptr;
    const auto inputs = function.inputs();
    const auto &a = inputs[name == "aten::mm" ? 0 : 1].toTensor(), &b = inputs[name == "aten::mm" ? 1 : 2].toTensor();
    flops += 2.0 * static_cast<double>(a.size(0) * a.size(1) * b.size(1));
    return nullptr;
  };
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(count).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  body();
  at::removeCallback(handle);
  return flops;
}

}  // namespace vlsi::plan_fixture
