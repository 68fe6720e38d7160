#include "method/step2_interact.h"

#include <ATen/ATen.h>

#include "method/answer_words.h"
#include "objective/cross_entropy.h"
#include "objective/layer_matching.h"
#include "objective/verbal_kl.h"

namespace vlsi {
namespace {

/// The matched pairs' KL, summed: Algorithm 1 over the matrix kl [t_s, t_l].
at::Tensor matched_kl(const Interaction& interaction, const at::Tensor& kl, StepOutput& output) {
  const auto values = kl.detach().to(at::kCPU, at::kDouble).contiguous();
  const std::span matrix(values.const_data_ptr<double>(), static_cast<size_t>(values.numel()));
  const auto matches =
      match_layers(matrix, kl.size(0), kl.size(1), interaction.config.matching.value, interaction.random);

  auto loss = at::zeros({}, kl.options());
  OrderedJson pairs = OrderedJson::array(), pair_kl = OrderedJson::array();
  for (const auto& [s, j, weight] : matches) {
    loss = loss + weight * kl[s][j];
    pairs.push_back({interaction.verbalizers->layers()[s], interaction.teacher.layers[j]});
    pair_kl.push_back(matrix[s * kl.size(1) + j]);
  }
  output.lists = {{"matches", std::move(pairs)}, {"kl", std::move(pair_kl)}};
  return loss;
}

}  // namespace

StepOutput interact(const Interaction& interaction, const Batch& batch) {
  const auto& config = interaction.config;
  const int64_t num_answers = batch.num_answers();
  const auto head = interaction.student.head().detach();
  const auto u = verbal_rows(interaction.student, interaction.verbalizers, batch);  // [t_s + 1, N, D]
  const int64_t last = u.size(0) - 1;

  StepOutput output;
  auto loss = at::zeros({}, u.options().dtype(at::kFloat));  // mean over the N positions
  if (config.intermediate_loss == LossKind::kKl || config.last_loss == LossKind::kKl) {
    const auto teacher = interaction.teacher.summarize(batch);
    const int64_t num_rows = std::min(head.size(0), interaction.teacher.vocab_size);
    const auto kl = all_pairs_kl(u, head.narrow(0, 0, num_rows), teacher);  // [t_s + 1, t_l + 1]
    if (config.intermediate_loss == LossKind::kKl) {
      const auto between = kl.narrow(0, 0, last).narrow(1, 0, kl.size(1) - 1);
      loss = loss + matched_kl(interaction, between, output);
      output.means["kl_matrix"] = {between.detach() * num_answers, num_answers};
    }
    const auto last_kl = kl[last][kl.size(1) - 1];
    if (config.last_loss == LossKind::kKl) loss = loss + last_kl;
    output.means["last_kl"] = {last_kl.detach() * num_answers, num_answers};
  }
  if (config.intermediate_loss == LossKind::kCrossEntropy) {
    const auto losses = cross_entropy(u.narrow(0, 0, last), head, batch.labels);  // [t_s, N]
    loss = loss + losses.mean(1).sum();
    add_answer_means(output.means, "layer_loss", losses, batch.labels, interaction.end_of_turn);
  }
  if (config.last_loss == LossKind::kCrossEntropy) {
    const auto losses = cross_entropy(u.narrow(0, last, 1), head, batch.labels);  // [1, N]
    loss = loss + losses.mean();
    add_answer_means(output.means, "last_loss", losses[0], batch.labels, interaction.end_of_turn);
  }
  output.loss = loss * num_answers;
  return output;
}

}  // namespace vlsi
