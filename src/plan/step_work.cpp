#include "plan/step_work.h"

#include <algorithm>

#include "base/contains.h"
#include "objective/head_summary.h"

// (T tokens, N answer positions, P patches of a rank's iteration; D width, L layers, V vocabulary rows)

namespace vlsi {
namespace {

class Work {
 public:
  Work(const PlannedRun& run, StepKind step, const DataShape& data)
      : run_(run),
        step_(step),
        batch_(data.mean),
        teacher_batch_(data.teacher_mean),
        batches_(micro_batches_of_a_rank(run, step)) {}

  StepWork of_iteration() const {
    StepWork work;
    if (is_verbalization(step_)) {
      work = verbalization(step_ == StepKind::kVerbalizeTeacher ? *run_.teacher : run_.student);
    } else {
      work = student();
      add_teacher(work);
      if (step_ == StepKind::kInteract) work.model_flops += run_.config.interact.on_policy.share * drawing();
    }
    work.model_flops *= batches_;
    work.float32_flops *= batches_;
    if (step_runs_teacher(run_, step_) && run_.config.teacher.residency == Residency::kStreamed) {
      const auto kind = run_.config.teacher.quantize;
      const double maps_saved =
          kind == Quantization::kNone ? 0 : run_.teacher->maps.stored_bytes - run_.teacher->map_bytes(kind);
      work.read_bytes = run_.teacher->all.stored_bytes - maps_saved -
                        (run_.teacher->text().tie_word_embeddings ? 0 : run_.teacher->part("embeddings").stored_bytes);
      if (looks_twice()) work.read_bytes *= 2;
    }
    return work;
  }

 private:
  /// The micro-batch as the model is shown it.
  const BatchShape& shown(const ModelSizes& model) const { return &model == run_.teacher ? teacher_batch_ : batch_; }

  /// One layer, for the micro-batch's tokens.
  Cost layer(const ModelSizes& model) const {
    const auto& batch = shown(model);
    return decoder_layer_cost(model.text(), batch.tokens, batch.tokens, batch.tokens / std::max(1.0, batch.samples));
  }

  /// One pass of the tokens through the first `num_layers` layers.
  double decoder(const ModelSizes& model, double num_layers) const { return num_layers * layer(model).operations; }

  double tower(const ModelSizes& model) const {
    const auto& batch = shown(model);
    return model.model->tower().cost(batch.patches, batch.largest_picture).operations +
           model.model->projector().cost(batch.patches).operations;
  }

  /// Logits of `num_layers` layers' rows, and the expected rows of width `row_width`.
  double head(const ModelSizes& model, double num_layers, double row_width) const {
    const auto vocab_size = static_cast<double>(model.text().vocab_size);
    return head_summary_cost(num_layers * batch_.answers, vocab_size, width(model), row_width).operations;
  }

  /// Of a pass of `num_layers` verbalizers.
  double verbalizers(const ModelSizes& model, double num_layers) const {
    return verbalizers_cost(num_layers, verbalizer_values(run_, model), batch_.answers, width(model)).operations;
  }

  static double width(const ModelSizes& model) { return static_cast<double>(model.text().hidden_size); }

  StepWork verbalization(const ModelSizes& model) const {
    const auto& layers = settings_of(run_.config, step_).layers;
    const auto count = static_cast<double>(layers.size());
    StepWork work;
    work.model_flops =
        tower(model) + decoder(model, static_cast<double>(layers.back())) + head(model, count, width(model));
    work.float32_flops = 2 * verbalizers(model, count);  // forward, and for the weights' gradients
    return work;
  }

  /// Forward, for the gradient of the input, and for the weights that learn; with checkpointing forward again, but for
  /// the last product of each layer.
  StepWork student() const {
    const auto& config = run_.config;
    const auto& student = run_.student;
    const auto trained = trained_values(run_, step_);
    const bool again = config.activation_checkpointing;
    StepWork work;
    work.model_flops =
        tower(student) + decoder(student, static_cast<double>(student.text().num_hidden_layers)) * (again ? 3 : 2);
    if (again)
      work.model_flops -= static_cast<double>(student.text().num_hidden_layers) * layer(student).last_operations;
    work.model_flops +=
        batch_.tokens * (2 * trained.base + adapter_values(run_) * (again ? 6 : 4) + 2 * trained.adapters);
    if (step_ == StepKind::kInteract) {
      add_interaction(work);
    } else {
      // The table's own gradient takes the logits again, and a product of their size.
      const auto& learns = settings_of(config, step_).train;
      const bool head_learns = contains(learns, student.text().tie_word_embeddings ? "embeddings" : "head");
      work.model_flops += head(student, head_learns ? 2 : 1, width(student));
    }
    return work;
  }

  /// What the losses take of the rows that both models say.
  void add_interaction(StepWork& work) const {
    const auto& student = run_.student;
    const auto rows = interaction_rows(run_);
    // Forward and for the gradient of the input; without heads the weights learn, too.
    work.float32_flops += (run_.config.interact.head ? 2 : 3) * verbalizers(student, rows.student_verbalized);
    work.model_flops += head(student, rows.student_summarized, width(student));
    if (!step_runs_teacher(run_, step_)) return;
    const auto& teacher = *run_.teacher;
    work.float32_flops += verbalizers(teacher, rows.teacher_verbalized);
    work.model_flops += head(teacher, rows.teacher_summarized, width(student));
    work.float32_flops += logit_l2_cost(run_, batch_.answers).operations;
    work.float32_flops += divergence_cost(run_, batch_.answers).operations;
  }

  /// The teacher's micro-batches pass without pictures, too.
  bool looks_twice() const { return step_ == StepKind::kInteract && run_.config.interact.weighting.is_on(); }

  /// Of answers to all samples: every token once forward, and the logits of the answers'.
  double drawing() const {
    const auto& text = run_.student.text();
    const double head = static_cast<double>(text.vocab_size) * width(run_.student);
    return decoder(run_.student, static_cast<double>(text.num_hidden_layers)) +
           2 * (batch_.tokens * adapter_values(run_) + batch_.answers * head);
  }

  /// Its passes over the tokens.
  void add_teacher(StepWork& work) const {
    if (!step_runs_teacher(run_, step_)) return;
    const auto& teacher = *run_.teacher;
    const double pass = tower(teacher) + decoder(teacher, static_cast<double>(teacher.text().num_hidden_layers));
    work.model_flops += pass;
    if (looks_twice()) work.model_flops += pass + head(teacher, 2, width(teacher));
  }

  const PlannedRun& run_;
  const StepKind step_;
  const BatchShape &batch_, &teacher_batch_;
  const double batches_;
};

}  // namespace

StepWork step_work(const PlannedRun& run, StepKind step, const DataShape& data) {
  return Work(run, step, data).of_iteration();
}

}  // namespace vlsi
