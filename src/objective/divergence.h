// Divergences between what the last layers of a teacher and a student say, as other programs offer them: baselines of
// the KL. (N answer positions, D student width, Dl teacher width, V shared vocabulary rows, p the teacher's and q the
// student's distribution)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "base/table.h"
#include "model/cost.h"

namespace vlsi {

inline constexpr int64_t kMostTopWords = 4096;

struct DivergenceConfig {
  double jsd_beta = 0.5;    // above 0 and below 1: the teacher's share of the mixture
  double skew_alpha = 0.1;  // above 0 and below 1: the teacher's share of the mixture
  int64_t top_k = 64;       // 1 to kMostTopWords
};

/// What the last layers say, as the heads read it.
struct LastRows {
  at::Tensor u, head;                  // [N, D], [V, D]
  at::Tensor u_teacher, teacher_head;  // [N, Dl], [V, Dl]
};

struct LastSizes {
  double num_rows, vocab_size, width, teacher_width;  // N, V, D, Dl
};

struct Divergence {
  std::string name, meaning;
  /// Of every position: [N], nats, float32 at least. Gradient to u alone. Logits exist one tile of the vocabulary at a
  /// time. Without positions it is empty.
  at::Tensor (*losses)(const LastRows& rows, const DivergenceConfig& config);
  /// The definition, from the log-probabilities of all words, log_p and log_q [N, V], with PyTorch's own gradient: [N].
  at::Tensor (*plain)(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig& config);
  /// Beside the student's head summary: products and tiles, in float32 whatever the run's dtype is.
  Cost (*cost)(const LastSizes& sizes, const DivergenceConfig& config);
};

/// reverse_kl, jsd, skew_kl and top_k_kl (docs/method.md).
Table<Divergence>& divergences();

}  // namespace vlsi
