// A small training step that the tests of the trainer go through: what it is, and what it logged.
#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "family/family.h"
#include "tests/support/files.h"
#include "train/trainer.h"

namespace vlsi::pull_fixture {

namespace fs = std::filesystem;

inline const std::string kSettings = "seed: 1\n";

/// A parameter that is pulled to the answers' token ids: loss = sum over positions |w - id/100|^2, drawn positions
/// twice.
struct Task {
  explicit Task(at::ScalarType dtype = at::kFloat) : w(at::ones({3}, dtype).requires_grad_()) {
    step.name = "pull";
    step.iterations = 6;
    step.optimizer.learning_rate = 0.05;
    step.optimizer.accumulate = 2;
    step.parameters = {{"w", w}};
    step.random = &random;
    step.draws = 1;
    step.sparse_metric = "rare";
    step.sparse_every = 3;
    step.open_data = [this](Cursor start, const BatchShare& share) {
      LoaderConfig config;
      config.batch_tokens = 120;
      config.share = share;
      return std::make_unique<Loader>(mixture, *processor, config, start);
    };
    step.loss = [this](const Batch& batch) {
      StepOutput output;
      const auto target = batch.labels.to(at::kFloat).unsqueeze(1) / 100;  // [N, 1]
      output.loss = (w.to(at::kFloat) - target).square().sum() * (random.uniform() < 0.5 ? 2 : 1);
      output.means["rare"] = {at::tensor({1.0, 2.0}) * batch.num_answers(), static_cast<double>(batch.num_answers())};
      output.lists["sizes"] = OrderedJson::array({batch.num_answers()});
      losses.push_back(output.loss.item<double>());
      sizes.push_back(batch.num_answers());
      return output;
    };
  }

  fs::path data = fs::path(VLSI_TEST_DATA) / "tiny";
  ModelConfig model = parse_model_config(read_json(data / "student.json"), "student.json");
  std::unique_ptr<Processor> processor =
      family_of(model).make_processor(data / "tokenizer", model, SpecialText::kControl);
  Mixture mixture{{DataSource{data / "train.json", {}, 1}}};
  Random random{5};
  at::Tensor w;
  TrainingStep step;
  std::vector<double> losses;
  std::vector<int64_t> sizes;
};

inline std::vector<OrderedJson> metrics_of(const fs::path& run) {
  std::vector<OrderedJson> lines;
  std::ifstream file(run / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    lines.push_back(OrderedJson::parse(line));
    lines.back().erase("seconds");
  }
  return lines;
}

inline Outcome train_in(const fs::path& path, Task& task, int64_t every = 100, const Ranks& ranks = one_rank()) {
  RunDirectory run(path, kSettings, /*resume=*/true, ranks);
  if (run.checkpoint()) task.step.resumed = &*run.checkpoint();
  return train(task.step, run, {every, 2}, /*finished_before=*/10, at::kCPU);
}

}  // namespace vlsi::pull_fixture
