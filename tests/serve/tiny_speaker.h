// A tiny model with random weights that speaks.
#pragma once

#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <limits>

#include "checkpoint/load.h"
#include "checkpoint/save.h"
#include "run/speaker.h"
#include "tests/support/files.h"
#include "tests/support/initialize_vlm.h"

namespace vlsi {

/// Its answers end at their longest: it has no stop tokens.
class TinySpeaker {
 public:
  TinySpeaker() {
    const auto tiny = std::filesystem::path(VLSI_TEST_DATA) / "tiny";
    const Folder description({{"config.json", content_of(tiny / "student.json")}});
    save_vlm(folder_.path() / "model", *initialize_vlm(load_model_config(description.path()), Initializer::kFanIn, 3),
             at::kFloat, tiny / "tokenizer");
    speaker = load_speaker({folder_.path() / "model"}, at::kFloat, at::kCPU, SpecialText::kPlain);
    speaker.greedy.stop_tokens.clear();
    // In memory of its own, so that a test can change its weights.
    speaker.model = initialize_vlm(load_model_config(folder_.path() / "model"), Initializer::kFanIn, 3);
  }

  /// From now on its logits are no numbers.
  void break_weights() {
    at::NoGradGuard no_grad;
    at::Tensor(speaker.model->final_norm()).fill_(std::numeric_limits<float>::quiet_NaN());
  }

  Speaker speaker;

 private:
  Folder folder_;
};

}  // namespace vlsi
