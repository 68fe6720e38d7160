#include "method/step2_interact.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/send.h"
#include "method/answer_means.h"
#include "objective/cross_entropy.h"
#include "objective/finite.h"
#include "objective/verbal_kl.h"
#include "train/gradient_norm.h"

namespace vlsi {
namespace {

bool takes(const InteractionConfig& config, LossKind kind) {
  return config.intermediate_loss == kind || config.last_loss == kind;
}

/// What a mean over the answer positions is divided by; one where there are none, so that it is zero.
double divisor_of(const Batch& batch) { return batch.num_answers() > 0 ? batch.sum_of_weights() : 1; }

/// What a micro-batch's losses read of the teacher.
struct TeacherView {
  VerbalRows rows;         // where teacher_rows_are_read
  TeacherSummary summary;  // where a KL is: of all layers, or of the last one alone when no other layer takes one
  at::Tensor advantage;    // [N], where positions are weighed by it
};

/// [layers, N]
at::Tensor row_sums(const at::Tensor& rows) { return rows.detach().sum(-1, /*keepdim=*/false, at::kFloat); }

TeacherView look_at_teacher(const Interaction& interaction, const Batch& batch, StepOutput& output) {
  const auto& config = interaction.config;
  const auto& teacher = interaction.teacher;
  const bool all_layers = config.intermediate_loss == LossKind::kKl;
  TeacherView view;
  if (!teacher_rows_are_read(config)) {
    if (!takes(config, LossKind::kKl)) return view;
    view.summary = teacher.summarize(batch);
    view.advantage = view.summary.advantage;
    check_finite(view.summary.entropy, "entropy", layer_names("teacher", teacher.layers, /*with_last=*/true), batch,
                 output.checks);
    if (!all_layers) {
      const int64_t last = view.summary.entropy.size(0) - 1;
      view.summary = {view.summary.expected_row.narrow(0, last, 1), view.summary.entropy.narrow(0, last, 1)};
    }
    return view;
  }
  TORCH_CHECK(teacher.running, "squared differences and divergences need a teacher that runs");
  view.rows = teacher.running->read(batch);
  view.advantage = view.rows.advantage;
  if (config.last_loss == LossKind::kDivergence) {
    check_finite(row_sums(view.rows.last), "sum of a row", layer_names("teacher", {}, /*with_last=*/true), batch,
                 output.checks);
  }
  if (takes(config, LossKind::kKl)) {
    const auto u = all_layers ? joined(view.rows) : view.rows.last;
    view.summary = summarize_teacher(u, teacher.running->head, interaction.student.head().detach());
  }
  return view;
}

VerbalRows look_at_student(const Interaction& interaction, const Batch& batch, StepOutput& output) {
  auto rows = read_layers(interaction.student, interaction.verbalizers, batch, interaction.pictures);
  if (rows.layers.defined()) {
    check_finite(row_sums(rows.layers), "sum of a row",
                 layer_names("student", interaction.verbalizers->layers(), /*with_last=*/false), batch, output.checks);
  }
  check_finite(row_sums(rows.last), "sum of a row", layer_names("student", {}, /*with_last=*/true), batch,
               output.checks);
  return rows;
}

/// KL of all pairs [t_s + 1, t_l + 1] with the last layers behind the others, or theirs alone: [1, 1].
at::Tensor kl_matrix(const Interaction& interaction, const VerbalRows& student, const TeacherSummary& teacher,
                     const Batch& batch) {
  const bool all_layers = interaction.config.intermediate_loss == LossKind::kKl;
  const auto head = interaction.student.head().detach();
  const auto shared = head.narrow(0, 0, interaction.teacher.shared_rows);
  return all_pairs_kl(all_layers ? joined(student) : student.last, shared, teacher, batch.label_weights);
}

at::Tensor logit_l2(const Interaction& interaction, const at::Tensor& student, const at::Tensor& teacher,
                    const Batch& batch) {
  return all_pairs_logit_l2(student, *interaction.grams, summarize_teacher_logits(teacher, *interaction.grams),
                            batch.label_weights);
}

/// Cross entropy of the answers at u [S, N, D], summed over the layers, mean over the positions by their weights;
/// logged as `name`.
at::Tensor answer_loss(const Interaction& interaction, const std::string& name, const at::Tensor& u, const Batch& batch,
                       StepOutput& output) {
  const auto losses = cross_entropy(u, interaction.student.head().detach(), batch.labels);  // [S, N]
  add_answer_means(output.means, name, losses, batch, interaction.end_of_turn);
  return weighted(losses, batch).sum() / divisor_of(batch);
}

/// The configured divergence at the last layer, mean over the positions by their weights; logged as `last_` and its
/// name.
at::Tensor divergence_loss(const Interaction& interaction, const VerbalRows& student, const VerbalRows& teacher,
                           const Batch& batch, StepOutput& output) {
  const auto& divergence = interaction.config.last_loss.divergence();
  const auto head = interaction.student.head().detach().narrow(0, 0, interaction.teacher.shared_rows);
  const auto losses = divergence.losses({student.last[0], head, teacher.last[0], interaction.teacher.running->head},
                                        interaction.config.divergence);  // [N]
  add_answer_means(output.means, "last_" + divergence.name, losses, batch, interaction.end_of_turn);
  return weighted(losses, batch).sum() / divisor_of(batch);
}

/// Means over the N positions by their weights, with gradient to the student alone (and its verbalizers, where they
/// learn); undefined where the configuration has no such loss.
struct InteractionLosses {
  at::Tensor pairs;    // [t_s, t_l], of every student layer with every teacher layer: KL, or squared difference
  at::Tensor answers;  // [], summed over the target layers where they learn the answers and not from the teacher
  at::Tensor last;     // [], at the last layer
};

/// The batch with its positions weighed as the configuration has it; logs what the teacher's pictures are worth.
Batch weigh_positions(const Interaction& interaction, const TeacherView& teacher, const Batch& batch,
                      StepOutput& output) {
  const auto& weighting = interaction.config.weighting;
  if (!weighting.is_on()) return batch;
  TORCH_CHECK(teacher.advantage.defined(), "the teacher gives no visual advantage");
  check_finite(teacher.advantage.unsqueeze(0), "visual advantage", layer_names("teacher", {}, /*with_last=*/true),
               batch, output.checks);
  add_answer_means(output.means, "visual_advantage", teacher.advantage, batch, interaction.end_of_turn);
  return weighed_by_advantage(batch, teacher.advantage, weighting.strength);
}

InteractionLosses interaction_losses(const Interaction& interaction, const Batch& given, StepOutput& output) {
  const auto& config = interaction.config;
  const auto student = look_at_student(interaction, given, output);
  const auto teacher = look_at_teacher(interaction, given, output);
  const auto batch = weigh_positions(interaction, teacher, given, output);
  const double weight = batch.sum_of_weights();

  InteractionLosses losses;
  at::Tensor last_kl;
  if (takes(config, LossKind::kKl)) {
    const auto kl = kl_matrix(interaction, student, teacher.summary, batch);
    const int64_t last_student = kl.size(0) - 1, last_teacher = kl.size(1) - 1;
    last_kl = kl[last_student][last_teacher];
    output.means["last_kl"] = {last_kl.detach() * weight, weight};
    if (config.intermediate_loss == LossKind::kKl) {
      losses.pairs = kl.narrow(0, 0, last_student).narrow(1, 0, last_teacher);
    }
  }
  if (config.intermediate_loss == LossKind::kL2) {
    losses.pairs = config.head ? logit_l2(interaction, student.layers, teacher.rows.layers, batch)
                               : all_pairs_row_l2(student.layers, teacher.rows.layers, batch.label_weights);
  } else if (config.intermediate_loss == LossKind::kCrossEntropy) {
    losses.answers = answer_loss(interaction, "layer_loss", student.layers, batch, output);
  }
  if (config.last_loss == LossKind::kKl) {
    losses.last = last_kl;
  } else if (config.last_loss == LossKind::kL2) {
    losses.last = logit_l2(interaction, student.last, teacher.rows.last, batch)[0][0];
    output.means["last_l2"] = {losses.last.detach() * weight, weight};
  } else if (config.last_loss == LossKind::kCrossEntropy) {
    losses.last = answer_loss(interaction, "last_loss", student.last, batch, output);
  } else if (config.last_loss == LossKind::kDivergence) {
    losses.last = divergence_loss(interaction, student, teacher.rows, batch, output);
  }
  return losses;
}

/// The pairs' losses [t_s, t_l], weighted by their matching and summed: Algorithm 1.
at::Tensor matched_loss(const Interaction& interaction, const at::Tensor& pairs, double weight, StepOutput& output) {
  const std::string name = interaction.config.intermediate_loss == LossKind::kL2 ? "l2" : "kl";
  const int64_t num_student = pairs.size(0), num_teacher = pairs.size(1);
  const auto values = pairs.detach().to(at::kCPU, at::kDouble).contiguous();
  const std::span matrix(values.const_data_ptr<double>(), static_cast<size_t>(values.numel()));
  // On a device this is the first time that the host sees anything of the micro-batch.
  if (!output.checks.empty() && !values.isfinite().all().item<bool>()) settle(output.checks);
  const auto& matching = interaction.config.matching;
  const auto matches = match_layers(matrix, num_student, num_teacher, matching, interaction.random);

  const auto weights = at::zeros({num_student, num_teacher}, at::kDouble);
  auto weight_of = weights.accessor<double, 2>();
  for (const auto& match : matches) weight_of[match.student][match.teacher] += match.weight;
  if (matching.rule->weighs_all_pairs) {
    output.means["match_weights"] = {weights * weight, weight};
  } else {
    OrderedJson matched = OrderedJson::array(), losses = OrderedJson::array();
    for (const auto& [s, j, unused] : matches) {
      matched.push_back({interaction.verbalizers->layers()[s], interaction.teacher.layers[j]});
      losses.push_back(matrix[s * num_teacher + j]);
    }
    output.lists = {{"matches", std::move(matched)}, {name, std::move(losses)}};
  }
  output.means[name + "_matrix"] = {pairs.detach() * weight, weight};
  return (send(weights, pairs.device()).to(pairs.scalar_type()) * pairs).sum();
}

}  // namespace

bool logits_are_compared(const InteractionConfig& config) {
  return config.last_loss == LossKind::kL2 || (config.intermediate_loss == LossKind::kL2 && config.head);
}

bool teacher_rows_are_read(const InteractionConfig& config) {
  return takes(config, LossKind::kL2) || config.last_loss == LossKind::kDivergence;
}

bool teacher_is_read(const InteractionConfig& config) {
  return takes(config, LossKind::kKl) || teacher_rows_are_read(config);
}

double intermediate_weight(const InteractionConfig& config, int64_t iteration, int64_t iterations) {
  const double gone = iterations > 1 ? static_cast<double>(iteration) / static_cast<double>(iterations - 1) : 0;
  return config.intermediate_weight * (1 - config.intermediate_decay * gone);
}

StepOutput interact(const Interaction& interaction, const Batch& batch) {
  StepOutput output;
  const auto losses = interaction_losses(interaction, batch, output);
  const double weight = batch.sum_of_weights();
  auto intermediate = losses.answers;
  if (losses.pairs.defined()) intermediate = matched_loss(interaction, losses.pairs, weight, output);
  if (intermediate.defined()) intermediate = intermediate * interaction.intermediate_weight;
  auto loss = at::zeros({}, at::TensorOptions(interaction.student.device()).dtype(at::kFloat));
  for (const auto& [name, part] : {std::pair("intermediate", intermediate), std::pair("last", losses.last)}) {
    if (!part.defined()) continue;
    loss = loss + part;
    if (interaction.measured == nullptr) continue;
    output.means[concat(name, "_gradient_norm")] = {gradient_norm(part, *interaction.measured) * weight, weight};
  }
  output.loss = loss * weight;
  return output;
}

}  // namespace vlsi
