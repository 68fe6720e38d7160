#include "method/step2_interact.h"

#include <ATen/ATen.h>

#include "objective/layer_matching.h"

namespace vlsi {
namespace {

/// The pairs' losses [t_s, t_l], weighted by their matching and summed: Algorithm 1.
at::Tensor matched_loss(const Interaction& interaction, const at::Tensor& pairs, int64_t num_answers,
                        StepOutput& output) {
  const std::string name = interaction.config.intermediate_loss == LossKind::kL2 ? "l2" : "kl";
  const int64_t num_student = pairs.size(0), num_teacher = pairs.size(1);
  const auto values = pairs.detach().to(at::kCPU, at::kDouble).contiguous();
  const std::span matrix(values.const_data_ptr<double>(), static_cast<size_t>(values.numel()));
  const auto& matching = interaction.config.matching.value;
  const auto matches = match_layers(matrix, num_student, num_teacher, matching, interaction.random);

  const auto weights = at::zeros({num_student, num_teacher}, at::kDouble);
  auto weight_of = weights.accessor<double, 2>();
  for (const auto& [s, j, weight] : matches) weight_of[s][j] += weight;
  if (matching.rule == MatchingRule::kExpected) {
    output.means["match_weights"] = {weights * num_answers, num_answers};
  } else {
    OrderedJson matched = OrderedJson::array(), losses = OrderedJson::array();
    for (const auto& [s, j, weight] : matches) {
      matched.push_back({interaction.verbalizers->layers()[s], interaction.teacher.layers[j]});
      losses.push_back(matrix[s * num_teacher + j]);
    }
    output.lists = {{"matches", std::move(matched)}, {name, std::move(losses)}};
  }
  output.means[name + "_matrix"] = {pairs.detach() * num_answers, num_answers};
  return (weights.to(pairs.options().requires_grad(false)) * pairs).sum();
}

}  // namespace

StepOutput interact(const Interaction& interaction, const Batch& batch) {
  StepOutput output;
  const auto losses = interaction_losses(interaction, batch, output);
  const int64_t num_answers = batch.num_answers();
  auto loss = at::zeros({}, at::TensorOptions(interaction.student.device()).dtype(at::kFloat));
  if (losses.pairs.defined()) loss = loss + matched_loss(interaction, losses.pairs, num_answers, output);
  if (losses.answers.defined()) loss = loss + losses.answers;
  if (losses.last.defined()) loss = loss + losses.last;
  output.loss = loss * num_answers;
  return output;
}

}  // namespace vlsi
