#include "plan/step_work.h"

#include <algorithm>

// (T tokens, N answer positions, P patches of a rank's iteration; D width, L layers, V vocabulary rows)

namespace vlsi {
namespace {

class Work {
 public:
  Work(const PlannedRun& run, const std::string& step, const DataShape& data)
      : run_(run), step_(step), batch_(data.mean), batches_(micro_batches_of_a_rank(run, step)) {}

  StepWork of_iteration() const {
    StepWork work;
    if (step_ == "verbalize-student") {
      work = verbalization(run_.student, run_.config.student.layers);
    } else if (step_ == "verbalize-teacher") {
      work = verbalization(*run_.teacher, run_.config.teacher.layers);
    } else {
      work = student();
      if (step_ == "interact") add_teacher(work);
    }
    work.model_flops *= batches_;
    work.float32_flops *= batches_;
    if (step_runs_teacher(run_, step_) && run_.config.teacher.residency == Residency::kStreamed) {
      work.read_bytes =
          run_.teacher->all.stored_bytes -
          (run_.teacher->config.text.tie_word_embeddings ? 0 : run_.teacher->part("embeddings").stored_bytes);
    }
    return work;
  }

 private:
  /// One pass of the tokens through the first `num_layers` layers: two a weight, and the causal half of attention's two
  /// products.
  double decoder(const ModelSizes& model, double num_layers) const {
    const auto& text = model.config.text;
    const double share = num_layers / static_cast<double>(text.num_hidden_layers);
    const double length = batch_.tokens / std::max(1.0, batch_.samples);
    return share * batch_.tokens *
           (2 * model.part("decoder").values +
            2 * length * static_cast<double>(text.hidden_size * text.num_hidden_layers));
  }

  /// The tower with its merger, whose rows are fewer than the patches.
  double tower(const ModelSizes& model) const {
    const auto& vision = model.config.vision;
    const auto merged = static_cast<double>(vision.spatial_merge_size * vision.spatial_merge_size);
    return batch_.patches * (2 * model.part("vision").values + 2 * model.part("projector").values / merged +
                             4 * batch_.largest_picture * static_cast<double>(vision.embed_dim * vision.depth));
  }

  /// Logits of `num_layers` layers' rows, and the expected rows of width `row_width`.
  double head(const ModelSizes& model, double num_layers, double row_width) const {
    const auto& text = model.config.text;
    return 2 * num_layers * batch_.answers * static_cast<double>(text.vocab_size) *
           (static_cast<double>(text.hidden_size) + row_width);
  }

  static double width(const ModelSizes& model) { return static_cast<double>(model.config.text.hidden_size); }

  StepWork verbalization(const ModelSizes& model, const std::vector<int64_t>& layers) const {
    const auto count = static_cast<double>(layers.size());
    StepWork work;
    work.model_flops =
        tower(model) + decoder(model, static_cast<double>(layers.back())) + head(model, count, width(model));
    work.float32_flops =
        4 * count * verbalizer_values(run_, model) * batch_.answers;  // forward, and for the weights' gradients
    return work;
  }

  /// Of one pass, the products that end its layers.
  double last_products(const ModelSizes& model) const {
    const auto& text = model.config.text;
    return 2 * batch_.tokens * static_cast<double>(text.intermediate_size * text.hidden_size * text.num_hidden_layers);
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
        tower(student) + decoder(student, static_cast<double>(student.config.text.num_hidden_layers)) * (again ? 3 : 2);
    if (again) work.model_flops -= last_products(student);
    work.model_flops +=
        batch_.tokens * (2 * trained.base + adapter_values(run_) * (again ? 6 : 4) + 2 * trained.adapters);
    double layers = 0;
    if (step_ == "interact" && config.interact.intermediate_loss != LossKind::kNone) {
      layers = static_cast<double>(config.student.layers.size());
      work.float32_flops = 4 * layers * verbalizer_values(run_, student) * batch_.answers;
    }
    work.model_flops += head(student, layers + 1, width(student));
    // The table's own gradient takes the logits again, and a product of their size.
    const auto& learns = step_ == "interact" ? config.interact.train : config.finetune.train;
    const bool head_learns = std::find(learns.begin(), learns.end(),
                                       student.config.text.tie_word_embeddings ? "embeddings" : "head") != learns.end();
    if (step_ == "finetune" && head_learns) work.model_flops += head(student, 1, width(student));
    return work;
  }

  void add_teacher(StepWork& work) const {
    if (!step_runs_teacher(run_, step_)) return;
    const auto& teacher = *run_.teacher;
    work.model_flops += tower(teacher) + decoder(teacher, static_cast<double>(teacher.config.text.num_hidden_layers));
    double layers = 0;
    if (run_.config.interact.intermediate_loss != LossKind::kNone) {
      layers = static_cast<double>(run_.config.teacher.layers.size());
      work.float32_flops += 2 * layers * verbalizer_values(run_, teacher) * batch_.answers;
    }
    work.model_flops += head(teacher, layers + 1, width(run_.student));
  }

  const PlannedRun& run_;
  const std::string& step_;
  const BatchShape& batch_;
  const double batches_;
};

}  // namespace

StepWork step_work(const PlannedRun& run, const std::string& step, const DataShape& data) {
  return Work(run, step, data).of_iteration();
}

}  // namespace vlsi
