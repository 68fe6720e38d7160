#include "method/interaction.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"
#include "method/answer_words.h"
#include "objective/cross_entropy.h"
#include "objective/finite.h"
#include "objective/verbal_kl.h"

namespace vlsi {
namespace {

bool takes(const InteractConfig& config, LossKind kind) {
  return config.intermediate_loss == kind || config.last_loss == kind;
}

/// What a micro-batch's losses read of the teacher.
struct TeacherView {
  VerbalRows rows;         // where a squared difference is taken
  TeacherSummary summary;  // where a KL is: of all layers, or of the last one alone when no other layer takes one
};

TeacherView look_at_teacher(const Interaction& interaction, const Batch& batch) {
  const auto& config = interaction.config;
  const auto& teacher = interaction.teacher;
  const bool all_layers = config.intermediate_loss == LossKind::kKl;
  TeacherView view;
  if (!takes(config, LossKind::kL2)) {
    if (!takes(config, LossKind::kKl)) return view;
    view.summary = teacher.summarize(batch);
    check_finite(view.summary.entropy, "entropy", layer_names("teacher", teacher.layers, /*with_last=*/true), batch);
    if (!all_layers) {
      const int64_t last = view.summary.entropy.size(0) - 1;
      view.summary = {view.summary.expected_row.narrow(0, last, 1), view.summary.entropy.narrow(0, last, 1)};
    }
    return view;
  }
  TORCH_CHECK(teacher.running, "squared differences need a teacher that runs");
  view.rows = teacher.running->read(batch);
  if (takes(config, LossKind::kKl)) {
    const auto u = all_layers ? joined(view.rows) : view.rows.last;
    view.summary = summarize_teacher(u, teacher.running->head, interaction.student.head().detach());
  }
  return view;
}

VerbalRows look_at_student(const Interaction& interaction, const Batch& batch) {
  auto rows = read_layers(interaction.student, interaction.verbalizers, batch);
  const auto sums = [](const at::Tensor& x) { return x.detach().sum(-1, /*keepdim=*/false, at::kFloat); };
  if (rows.layers.defined()) {
    check_finite(sums(rows.layers), "sum of a row",
                 layer_names("student", interaction.verbalizers->layers(), /*with_last=*/false), batch);
  }
  check_finite(sums(rows.last), "sum of a row", layer_names("student", {}, /*with_last=*/true), batch);
  return rows;
}

/// KL of all pairs [t_s + 1, t_l + 1] with the last layers behind the others, or theirs alone: [1, 1].
at::Tensor kl_matrix(const Interaction& interaction, const VerbalRows& student, const TeacherSummary& teacher) {
  const bool all_layers = interaction.config.intermediate_loss == LossKind::kKl;
  const auto head = interaction.student.head().detach();
  const int64_t num_rows = std::min(head.size(0), interaction.teacher.vocab_size);
  return all_pairs_kl(all_layers ? joined(student) : student.last, head.narrow(0, 0, num_rows), teacher);
}

at::Tensor logit_l2(const Interaction& interaction, const at::Tensor& student, const at::Tensor& teacher) {
  return all_pairs_logit_l2(student, *interaction.grams, summarize_teacher_logits(teacher, *interaction.grams));
}

/// Cross entropy of the answers at u [S, N, D], summed over the layers, mean over the positions; logged as `name`.
at::Tensor answer_loss(const Interaction& interaction, const std::string& name, const at::Tensor& u, const Batch& batch,
                       StepOutput& output) {
  const auto losses = cross_entropy(u, interaction.student.head().detach(), batch.labels);  // [S, N]
  add_answer_means(output.means, name, losses, batch.labels, interaction.end_of_turn);
  return losses.sum() / static_cast<double>(std::max<int64_t>(1, batch.num_answers()));
}

}  // namespace

bool logits_are_compared(const InteractConfig& config) {
  return config.last_loss == LossKind::kL2 || (config.intermediate_loss == LossKind::kL2 && config.head);
}

bool teacher_is_read(const InteractConfig& config) {
  return takes(config, LossKind::kKl) || takes(config, LossKind::kL2);
}

void check_head_stays(const InteractConfig& config, const ModelConfig& student, const std::string& place,
                      bool cached_teacher) {
  if (!logits_are_compared(config) && !cached_teacher) return;
  const bool tied = student.text.tie_word_embeddings;
  const std::string changes_head = tied ? "embeddings" : "head";
  if (std::find(config.train.begin(), config.train.end(), changes_head) == config.train.end()) return;
  fail(place, ": key 'interact.train' names '", changes_head, "'", tied ? ", which is the language head too" : "",
       ", but ", cached_teacher ? "a teacher cache is for one head and" : "the loss l2 through the heads",
       " needs a head that stays as it is; train other parts, or ",
       cached_teacher ? "run the teacher itself" : "take kl");
}

InteractionLosses interaction_losses(const Interaction& interaction, const Batch& batch, StepOutput& output) {
  const auto& config = interaction.config;
  const auto student = look_at_student(interaction, batch);
  const auto teacher = look_at_teacher(interaction, batch);
  const int64_t num_answers = batch.num_answers();

  InteractionLosses losses;
  at::Tensor last_kl;
  if (takes(config, LossKind::kKl)) {
    const auto kl = kl_matrix(interaction, student, teacher.summary);
    const int64_t last_student = kl.size(0) - 1, last_teacher = kl.size(1) - 1;
    last_kl = kl[last_student][last_teacher];
    output.means["last_kl"] = {last_kl.detach() * num_answers, num_answers};
    if (config.intermediate_loss == LossKind::kKl) {
      losses.pairs = kl.narrow(0, 0, last_student).narrow(1, 0, last_teacher);
    }
  }
  if (config.intermediate_loss == LossKind::kL2) {
    losses.pairs = config.head ? logit_l2(interaction, student.layers, teacher.rows.layers)
                               : all_pairs_row_l2(student.layers, teacher.rows.layers);
  } else if (config.intermediate_loss == LossKind::kCrossEntropy) {
    losses.answers = answer_loss(interaction, "layer_loss", student.layers, batch, output);
  }
  if (config.last_loss == LossKind::kKl) {
    losses.last = last_kl;
  } else if (config.last_loss == LossKind::kL2) {
    losses.last = logit_l2(interaction, student.last, teacher.rows.last)[0][0];
    output.means["last_l2"] = {losses.last.detach() * num_answers, num_answers};
  } else if (config.last_loss == LossKind::kCrossEntropy) {
    losses.last = answer_loss(interaction, "last_loss", student.last, batch, output);
  }
  return losses;
}

}  // namespace vlsi
