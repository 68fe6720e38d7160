// The tiny teachers and students of tests/oracle/make_method_fixture.py, their batches, and the loop that trains on
// them.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/safetensors.h"
#include "checkpoint/load.h"
#include "data/batch.h"
#include "model/parts.h"
#include "run/speaker.h"
#include "tests/model/fixtures.h"
#include "train/metrics.h"
#include "train/trainer.h"

namespace vlsi::method_fixture {

/// The pair that tests of one pair use.
inline constexpr char kPair[] = "qwen2_vl";
inline const std::filesystem::path kFolder = std::filesystem::path(VLSI_TEST_DATA "/method") / kPair;

inline std::filesystem::path folder_of(const std::string& pair) { return kFolder.parent_path() / pair; }
/// No label of the batches but where a test says so.
inline constexpr int32_t kNoEndOfTurn = -1;

inline const Json& expected(const std::string& pair = kPair) {
  static std::map<std::string, Json> files;
  const auto [found, is_new] = files.try_emplace(pair);
  if (is_new) found->second = read_json(folder_of(pair) / "expected.json");
  return found->second;
}

using fixtures::integers;

inline std::filesystem::path batch_path(int index, const std::string& pair, const std::string& prefix) {
  return folder_of(pair) / concat(prefix, "batch_", index, ".safetensors");
}

/// The three samples of a stored micro-batch; with the prefix "teacher_", as a teacher of another family is shown them.
inline std::vector<Sample> load_samples(int index, const std::string& pair = kPair, const std::string& prefix = "") {
  const auto file = SafetensorsFile::open(batch_path(index, pair, prefix));
  std::vector<Sample> samples(3);
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto place = "samples." + std::to_string(i) + ".";
    const auto tensor = [&](const char* name) { return file->tensor(place + name); };
    auto& sample = samples[i];
    sample.id = std::to_string(i);
    sample.tokens = integers(tensor("tokens"));
    for (const auto& axis : tensor("positions").unbind()) sample.positions.push_back(integers(axis));
    sample.answer_positions = integers(tensor("answer_positions"));
    sample.labels = integers(tensor("labels"));
    if (!file->tensors().contains(place + "patches")) continue;
    sample.image_token_positions = integers(tensor("image_token_positions"));
    int64_t first = 0;
    for (const auto& shape : fixtures::picture_shapes(*file, place, folder_of(pair) / "student")) {
      sample.images.push_back({tensor("patches").narrow(0, first, shape.num_patches), shape});
      first += shape.num_patches;
    }
  }
  return samples;
}

/// With the teacher's samples where it has its own.
inline Batch load_batch(int index, const std::string& pair = kPair) {
  const auto own = load_samples(index, pair);
  if (!std::filesystem::exists(batch_path(index, pair, "teacher_"))) return pack(own);
  const auto teachers = load_samples(index, pair, "teacher_");
  std::vector<SamplePair> pairs;
  for (size_t i = 0; i < own.size(); ++i) pairs.push_back({own[i], teachers[i]});
  return pack_pairs(pairs);
}

inline std::vector<int64_t> target_layers(const std::string& who) {
  return expected().at("target_layers").at(who).get<std::vector<int64_t>>();
}

/// A backbone and its verbalizers, all frozen.
inline Speaker stored_speaker(const std::string& who, const std::string& pair = kPair) {
  Speaker speaker{load_vlm(folder_of(pair) / who, at::kFloat), nullptr};
  speaker.verbalizers = Verbalizers::of(*speaker.model, {}, target_layers(who), /*seed=*/0);
  const auto file = SafetensorsFile::open(folder_of(pair) / (who + "_verbalizers.safetensors"));
  for (auto& [name, parameter] : speaker.verbalizers->named_parameters()) {
    parameter.set_data(file->tensor(name).clone());
    parameter.set_requires_grad(false);
  }
  return speaker;
}

/// The parameters of its verbalizers, learning or frozen.
inline NamedTensors verbalizer_parameters(const Speaker& speaker, bool learn) {
  auto parameters = speaker.verbalizers->named_parameters();
  for (auto& item : parameters) item.second.set_requires_grad(learn);
  return parameters;
}

inline OptimizerConfig optimizer_of(const std::string& step) {
  const auto& settings = expected().at("settings").at(step);
  OptimizerConfig config;
  config.learning_rate = settings.at("peak");
  config.final_learning_rate = settings.at("floor");
  config.warmup = settings.at("warmup").get<double>() / settings.at("iterations").get<double>();
  config.betas = settings.at("betas").get<std::vector<double>>();
  config.eps = settings.at("eps");
  config.weight_decay = settings.at("weight_decay");
  config.clip_norm = settings.at("clip_norm");
  config.accumulate = 1;
  return config;
}

/// Expects two numbers, or lists of them, to agree to 1e-5 of their size: a float32 sum of a few hundred terms, through
/// ten updates. Below 0.1 the error is that of the terms of size one which cancel, so the bound stays 1e-6.
inline void expect_near(const Json& found, const Json& wanted, const std::string& what) {
  if (!wanted.is_array()) {
    EXPECT_NEAR(found.get<double>(), wanted.get<double>(), std::max(1e-5 * std::abs(wanted.get<double>()), 1e-6))
        << what;
    return;
  }
  ASSERT_EQ(found.size(), wanted.size()) << what;
  for (size_t i = 0; i < wanted.size(); ++i) expect_near(found[i], wanted[i], what + "[" + std::to_string(i) + "]");
}

/// Trains on the two batches in turn, one a step, and compares every iteration with `records`: loss, gradient norm,
/// learning rate and whatever else both sides say.
inline void train_and_compare(const std::string& step, NamedTensors parameters, const Json& records,
                              const std::function<StepOutput(const Batch&)>& loss, const std::string& pair = kPair) {
  const Batch batches[] = {load_batch(0, pair), load_batch(1, pair)};
  const auto config = optimizer_of(step);
  const auto num_iterations = static_cast<int64_t>(records.size());
  ASSERT_EQ(num_iterations, 10);
  AdamW optimizer(std::move(parameters), config);
  for (int64_t i = 0; i < num_iterations; ++i) {
    const auto place = step + " " + std::to_string(i) + " ";
    const auto& wanted = records[i];
    const auto& batch = batches[i % 2];
    const auto output = loss(batch);
    const auto mean = output.loss / static_cast<double>(batch.num_answers());
    mean.backward();
    optimizer.collect_gradients();
    const double rate = learning_rate(config, i, num_iterations);
    const double norm = optimizer.step(rate);

    expect_near(mean.item<double>(), wanted.at("loss"), place + "loss");
    expect_near(norm, wanted.at("gradient_norm"), place + "gradient_norm");
    // Ten significant digits: the formula itself, in float64 on both sides.
    EXPECT_NEAR(rate / wanted.at("learning_rate").get<double>(), 1, 1e-10) << place;
    MetricSums sums;
    for (const auto& [name, value] : output.means) sums.add(name, value);
    const Json means = sums.means(), lists = output.lists;
    for (const char* name : {"layer_loss", "last_kl", "kl_matrix"}) {
      ASSERT_EQ(wanted.contains(name), means.contains(name)) << place << name;
      if (wanted.contains(name)) expect_near(means.at(name), wanted.at(name), place + name);
    }
    for (const char* name : {"matches", "kl"}) {
      ASSERT_EQ(wanted.contains(name), lists.contains(name)) << place << name;
      if (wanted.contains(name)) expect_near(lists.at(name), wanted.at(name), place + name);
    }
  }
}

}  // namespace vlsi::method_fixture
