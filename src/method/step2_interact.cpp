#include "method/step2_interact.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "base/error.h"
#include "method/answer_words.h"
#include "objective/cross_entropy.h"
#include "objective/layer_matching.h"
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

/// The pairs' losses [t_s, t_l], weighted by their matching: Algorithm 1. `name` is the loss's, in the log.
at::Tensor matched_loss(const Interaction& interaction, const std::string& name, const at::Tensor& pairs,
                        int64_t num_answers, StepOutput& output) {
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

at::Tensor logit_l2(const Interaction& interaction, const at::Tensor& student, const at::Tensor& teacher) {
  return all_pairs_logit_l2(student, *interaction.grams, summarize_teacher_logits(teacher, *interaction.grams));
}

/// The losses at the target layers and at the last one, of one micro-batch.
class Losses {
 public:
  Losses(const Interaction& interaction, const Batch& batch)
      : interaction_(interaction),
        batch_(batch),
        head_(interaction.student.head().detach()),
        student_(read_layers(interaction.student, interaction.verbalizers, batch)),
        teacher_(look_at_teacher(interaction, batch)) {
    if (takes(interaction.config, LossKind::kKl)) kl_ = kl_matrix();
  }

  StepOutput output() {
    auto loss = at::zeros({}, student_.last.options().dtype(at::kFloat));  // mean over the N positions
    for (const auto& part : {at_layers(), at_last_layer()}) {
      if (part.defined()) loss = loss + part;
    }
    output_.loss = loss * batch_.num_answers();
    return std::move(output_);
  }

 private:
  /// [t_s + 1, t_l + 1] with the last layers behind the others, or theirs alone: [1, 1]
  at::Tensor kl_matrix() const {
    const bool all_layers = interaction_.config.intermediate_loss == LossKind::kKl;
    const int64_t num_rows = std::min(head_.size(0), interaction_.teacher.vocab_size);
    return all_pairs_kl(all_layers ? joined(student_) : student_.last, head_.narrow(0, 0, num_rows), teacher_.summary);
  }

  /// Undefined without one.
  at::Tensor at_layers() {
    switch (interaction_.config.intermediate_loss) {
      case LossKind::kKl:
        return matched("kl", kl_.narrow(0, 0, kl_.size(0) - 1).narrow(1, 0, kl_.size(1) - 1));
      case LossKind::kL2:
        return matched("l2", interaction_.config.head ? logit_l2(interaction_, student_.layers, teacher_.rows.layers)
                                                      : all_pairs_row_l2(student_.layers, teacher_.rows.layers));
      case LossKind::kCrossEntropy: {
        const auto losses = cross_entropy(student_.layers, head_, batch_.labels);  // [t_s, N]
        add_answer_means(output_.means, "layer_loss", losses, batch_.labels, interaction_.end_of_turn);
        return (losses.sum(1) / num_positions()).sum();
      }
      case LossKind::kNone:
        break;
    }
    return {};
  }

  /// Undefined without one.
  at::Tensor at_last_layer() {
    const int64_t num_answers = batch_.num_answers();
    at::Tensor last_kl;
    if (kl_.defined()) {
      last_kl = kl_[kl_.size(0) - 1][kl_.size(1) - 1];
      output_.means["last_kl"] = {last_kl.detach() * num_answers, num_answers};
    }
    switch (interaction_.config.last_loss) {
      case LossKind::kKl:
        return last_kl;
      case LossKind::kL2: {
        const auto last_l2 = logit_l2(interaction_, student_.last, teacher_.rows.last)[0][0];
        output_.means["last_l2"] = {last_l2.detach() * num_answers, num_answers};
        return last_l2;
      }
      case LossKind::kCrossEntropy: {
        const auto losses = cross_entropy(student_.last, head_, batch_.labels);  // [1, N]
        add_answer_means(output_.means, "last_loss", losses[0], batch_.labels, interaction_.end_of_turn);
        return losses.sum() / num_positions();
      }
      case LossKind::kNone:
        break;
    }
    return {};
  }

  /// What a mean over the positions divides by: one where there are none, so that it is zero.
  double num_positions() const { return static_cast<double>(std::max<int64_t>(1, batch_.num_answers())); }

  at::Tensor matched(const std::string& name, const at::Tensor& pairs) {
    return matched_loss(interaction_, name, pairs, batch_.num_answers(), output_);
  }

  const Interaction& interaction_;
  const Batch& batch_;
  const at::Tensor head_;
  const VerbalRows student_;
  const TeacherView teacher_;
  at::Tensor kl_;
  StepOutput output_;
};

}  // namespace

bool logits_are_compared(const InteractConfig& config) {
  return config.last_loss == LossKind::kL2 || (config.intermediate_loss == LossKind::kL2 && config.head);
}

void check_head_stays(const InteractConfig& config, const ModelConfig& student, const std::string& place) {
  if (!logits_are_compared(config)) return;
  const bool tied = student.text.tie_word_embeddings;
  const std::string changes_head = tied ? "embeddings" : "head";
  if (std::find(config.train.begin(), config.train.end(), changes_head) == config.train.end()) return;
  fail(place, ": key 'interact.train' names '", changes_head, "'", tied ? ", which is the language head too" : "",
       ", but the loss l2 through the heads needs a head that stays as it is; train other parts, or take kl");
}

StepOutput interact(const Interaction& interaction, const Batch& batch) {
  return Losses(interaction, batch).output();
}

}  // namespace vlsi
