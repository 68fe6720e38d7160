#include "plan/step_memory.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/contains.h"
#include "checkpoint/picture_features.h"
#include "method/step2_interact.h"
#include "model/kv_cache.h"
#include "model/product.h"
#include "objective/head_summary.h"
#include "objective/self_check.h"
#include "ranks/slices.h"
#include "run/on_policy.h"

// (T tokens, N answer positions and P patches of a micro-batch; D width, F inner width, K width of all keys, L layers,
// V vocabulary rows, E tower width; r rank of adapters, b bytes of a number of the run's dtype)

namespace vlsi {
namespace {

constexpr double kMiB = 1 << 20;
constexpr double kFloatBytes = 4;
constexpr double kRowPages = 64 << 10;  // what the kernel maps of a file around a row that is touched

double element_size(const PlannedRun& run) { return static_cast<double>(c10::elementSize(run.dtype)); }
bool is_wide(const PlannedRun& run) { return run.dtype == at::kFloat; }

/// One step of one run.
class Step {
 public:
  Step(const PlannedRun& run, StepKind kind, const DataShape& data, double iterations)
      : run_(run),
        kind_(kind),
        data_(data),
        batch_(data.largest),
        teacher_batch_(data.teacher_largest),
        iterations_(iterations),
        b_(element_size(run)),
        accumulate_(micro_batches_of_a_rank(run, kind)),
        ranks_(static_cast<double>(run.num_ranks)),
        is_on_device_(!run.config.device.value.is_cpu()),
        runs_student_(kind != StepKind::kVerbalizeTeacher),
        runs_teacher_(step_runs_teacher(run, kind)),
        trained_(trained_values(run, kind)) {}

  std::vector<MemoryPart> parts() const {
    std::vector<MemoryPart> parts{{"program", run_.program_bytes},
                                  {"student weights", student_weights()},
                                  {"teacher weights", runs_teacher_ ? teacher_weights() : 0},
                                  {"trained weights", trained_weights()},
                                  {"gradients", gradients()},
                                  {"optimizer", 2 * kFloatBytes * trained_.all() / ranks_},
                                  {"exchange", exchange()},
                                  {"verbalizers", verbalizers()},
                                  {"activations", activations()},
                                  {"head passes", head_passes()},
                                  {"caches", caches()},
                                  {"allocator gaps", allocator_gaps()}};
    parts.push_back({"loading", std::max(0.0, loading() - total_bytes(parts))});
    return parts;
  }

 private:
  const TextConfig& student_text() const { return run_.student.text(); }

  /// The micro-batch as the model is shown it.
  const BatchShape& shown(const ModelSizes& model) const { return &model == run_.teacher ? teacher_batch_ : batch_; }

  // ---- weights ----

  /// Pages of a file that the rows of the step's tokens touch; by Heaps' law the distinct ones grow with the root of
  /// all.
  double touched_rows(const ModelSizes& model) const {
    const double seen = std::max(data_.tokens, iterations_ * accumulate_ * data_.mean.tokens);
    const double rows = data_.distinct_tokens * std::sqrt(seen / std::max(1.0, data_.tokens));
    return std::min(model.part("embeddings").viewed_bytes, rows * kRowPages);
  }

  /// Converted weights are memory from loading on; views are so once they are read.
  double resident_weights(const ModelSizes& model) const {
    if (is_on_device_) return model.all.bytes();
    double viewed = model.part("decoder").viewed_bytes + model.table.viewed_bytes;
    if (!model.text().tie_word_embeddings) viewed += touched_rows(model);
    if (shown(model).patches > 0) viewed += model.part("vision").viewed_bytes + model.part("projector").viewed_bytes;
    return viewed + model.all.converted_bytes;
  }

  /// The student is not read while the teacher is verbalized: its views leave memory.
  double student_weights() const {
    return runs_student_ || is_on_device_ ? resident_weights(run_.student) : run_.student.all.converted_bytes;
  }

  /// Where the teacher is.
  Residency residency() const { return residency_among(run_.num_ranks, run_.config.teacher.residency); }

  double teacher_weights() const {
    const auto& teacher = *run_.teacher;
    if (residency() == Residency::kResident) {
      return resident_weights(teacher) - teacher.maps.bytes() + teacher.map_bytes(run_.config.teacher.quantize);
    }
    // Converted as a whole when loaded: what every pass needs throughout.
    const double kept = teacher.table.converted_bytes +
                        (teacher.text().tie_word_embeddings ? 0 : teacher.part("embeddings").converted_bytes);
    if (residency() == Residency::kSharded) {
      // A share of all layers and of the tower; a layer and the next one, whole, or the tower.
      const double tower = teacher.part("vision").bytes() + teacher.part("projector").bytes();
      return kept + (teacher.part("decoder").bytes() + tower) / ranks_ +
             std::max(2 * teacher.largest_layer.bytes(), tower + teacher.table.viewed_bytes);
    }
    // A layer and the next one, which is read ahead as it is stored; of a quantised teacher, from its own files.
    const auto kind = run_.config.teacher.quantize;
    const double layers = kind != Quantization::kNone
                              ? 2 * teacher.quantized_layer_bytes(kind)
                              : std::max(teacher.largest_layer.viewed_bytes, teacher.largest_layer.converted_bytes) +
                                    teacher.largest_layer.stored_bytes;
    // The tower comes when the head of the losses before is still there.
    const double tower =
        teacher_batch_.patches > 0 ? teacher.part("vision").bytes() + teacher.part("projector").bytes() : 0;
    // Beside it, a device has the first layer already.
    const double first = is_on_device_ ? teacher.largest_layer.bytes() : 0;
    return kept + std::max(layers, tower + first + teacher.table.viewed_bytes);
  }

  /// Copies of what learns, which must not be a view of a file, and a rank's share of their float32 masters; and all
  /// adapters.
  double trained_weights() const {
    double base = trained_.base;
    if (kind_ == StepKind::kFinetune) base += carried_values(run_).base;  // which stays a copy
    const double masters = is_wide(run_) ? 0 : kFloatBytes * trained_.base / ranks_;
    if (is_on_device_) base = 0;  // the weights there are copies already
    return b_ * base + masters + kFloatBytes * adapter_values(run_);
  }

  double gradients() const {
    double bytes = kFloatBytes * trained_.all();
    // Each micro-batch's gradients are of the run's dtype before they are added to the float32 sums.
    if (!is_wide(run_)) bytes += b_ * trained_.base;
    // The head's rows and the embedding's are two whole tables before they are one.
    const auto& learns = settings_of(run_.config, kind_).train;
    if (contains(learns, "embeddings"))
      bytes += b_ * run_.student.part("embeddings").values * (student_text().tie_word_embeddings ? 2 : 1);
    if (contains(learns, "head")) bytes += b_ * run_.student.part("head").values;
    return bytes;
  }

  /// With several ranks: this one's share of the summed gradient, and what the exchanges under way receive and add up.
  /// What they send is no longer among the gradients.
  double exchange() const {
    if (run_.num_ranks == 1) return 0;
    const double under_way =
        std::min(trained_.all(), static_cast<double>(kExchangedAtOnce * int64_t{kExchangesUnderWay}));
    return kFloatBytes * (trained_.all() / ranks_ + under_way * (1 + 1 / ranks_));
  }

  double verbalizers() const {
    if (is_verbalization(kind_)) return kFloatBytes * trained_.verbalizers;
    if (kind_ != StepKind::kInteract || run_.config.interact.intermediate_loss == LossKind::kNone) return 0;
    const auto& config = run_.config;
    double values = verbalizer_values(run_, run_.student) * static_cast<double>(config.student.layers.size());
    if (runs_teacher_ && config.interact.intermediate_loss != LossKind::kCrossEntropy) {
      values += verbalizer_values(run_, *run_.teacher) * static_cast<double>(config.teacher.layers.size());
    }
    return kFloatBytes * values;
  }

  /// While a model is loaded, what is converted is in memory as it is stored, too.
  double loading() const {
    if (is_on_device_) return 0;  // it passes through the host's
    const auto stored = [](const ModelSizes& model) {
      return model.all.stored_bytes - model.all.viewed_bytes + model.all.converted_bytes;
    };
    const double student = stored(run_.student);
    if (!runs_teacher_ || residency() != Residency::kResident) return run_.program_bytes + student;
    return run_.program_bytes +
           std::max(student, student_weights() + kFloatBytes * adapter_values(run_) + stored(*run_.teacher));
  }

  // ---- activations ----

  double low_rank_values() const {  // a token's, in a layer
    const auto& lora = run_.config.student.lora;
    return adapter_values(run_) > 0 ? static_cast<double>(std::max<int64_t>(lora.rank, 1) * std::ssize(lora.targets))
                                    : 0;
  }

  /// What a decoder layer keeps for its gradient, adapters included.
  double kept_by_layer(const TextConfig& text, double num_tokens, double num_rows) const {
    return decoder_layer_cost(text, num_tokens, num_rows, /*length=*/0).kept_bytes(b_) +
           num_tokens * b_ * low_rank_values();
  }

  /// Of all layers without checkpointing; above the last layer's attention, answer positions are enough.
  double kept_by_all_layers() const {
    const auto& text = student_text();
    const auto layers = static_cast<double>(text.num_hidden_layers);
    double bytes = (layers - 1) * kept_by_layer(text, batch_.tokens, batch_.tokens) +
                   kept_by_layer(text, batch_.tokens, batch_.answers);
    if (!is_wide(run_)) bytes += b_ * adapter_values(run_);  // adapters in the activations' dtype
    if (contains(settings_of(run_.config, kind_).train, "vision")) bytes += kept_by_tower();
    return bytes;
  }

  Cost tower_cost(const ModelSizes& model) const {
    return model.model->tower().cost(shown(model).patches, shown(model).largest_picture);
  }
  double kept_by_tower() const { return tower_cost(run_.student).kept_bytes(b_); }

  /// A layer at work without gradient.
  double at_work(const ModelSizes& model) const {
    const double tokens = shown(model).tokens;
    return decoder_layer_cost(model.text(), tokens, tokens, /*length=*/0).working_bytes(b_) + widened(model);
  }

  /// Of the layer's widest product, where the processor has none of bfloat16.
  double widened(const ModelSizes& model) const {
    if (!multiplies_in_float32(run_.dtype, run_.config.device)) return 0;
    const auto& text = model.text();
    return kFloatBytes * widened_values(shown(model).tokens, static_cast<double>(text.hidden_size),
                                        static_cast<double>(text.intermediate_size));
  }

  /// The micro-batches of a teacher that is in memory layer by layer are under way together.
  double teacher_at_work() const {
    const auto& text = run_.teacher->text();
    const double together = residency() == Residency::kResident ? 0 : accumulate_ - 1;
    const auto wanted = kind_ == StepKind::kInteract ? static_cast<size_t>(interaction_rows(run_).teacher_verbalized)
                                                     : run_.config.teacher.layers.size();
    return std::max(
               at_work(*run_.teacher) + together * teacher_batch_.tokens * b_ * static_cast<double>(text.hidden_size),
               tower_cost(*run_.teacher).working_bytes(b_)) +
           wanted_rows(*run_.teacher, wanted, together + 1) + blank_pass(together + 1);
  }

  /// Of `num_batches`, for the visual advantage: patches at zero, and the last layer's rows.
  double blank_pass(double num_batches) const {
    if (kind_ != StepKind::kInteract || !run_.config.interact.weighting.is_on()) return 0;
    const auto& teacher = *run_.teacher;
    return num_batches *
           (kFloatBytes * teacher_batch_.patches * static_cast<double>(teacher.model->tower().patch_values()) +
            b_ * batch_.answers * width(teacher));
  }

  /// Rows of the wanted layers at the answer positions, or of every token for verbalizers that attend.
  double wanted_rows(const ModelSizes& model, size_t num_layers, double num_batches) const {
    const bool all_tokens = run_.config.verbalize.network.architecture->reads_all_tokens;
    return num_batches * static_cast<double>(num_layers + 1) * (all_tokens ? shown(model).tokens : batch_.answers) *
           b_ * static_cast<double>(model.text().hidden_size);
  }

  double activations() const {
    const double teacher = runs_teacher_ ? teacher_at_work() : 0;
    if (kind_ == StepKind::kVerbalizeTeacher) return teacher;
    const double student = std::max(at_work(run_.student), tower_cost(run_.student).working_bytes(b_));
    if (kind_ == StepKind::kVerbalizeStudent)
      return student + wanted_rows(run_.student, run_.config.student.layers.size(), 1);
    const auto& text = student_text();
    const auto d = static_cast<double>(text.hidden_size);
    const double backward = b_ * decoder_layer_cost(text, batch_.tokens, batch_.tokens, /*length=*/0).gradient_values;
    double kept = kept_by_all_layers(), again = 0;
    if (run_.config.activation_checkpointing) {
      const double tower = contains(settings_of(run_.config, kind_).train, "vision") ? kept_by_tower() : 0;
      kept = static_cast<double>(text.num_hidden_layers) * batch_.tokens * b_ * d + tower;
      again = kept_by_layer(text, batch_.tokens, batch_.tokens) + widened(run_.student);
    }
    return kept + std::max(teacher, backward + again);
  }

  // ---- language heads ----

  static double width(const ModelSizes& model) { return static_cast<double>(model.text().hidden_size); }

  /// Rows of target layers go through verbalizers, and these and the last layer's through a head.
  double verbalized(double num_layers, double verbalizers_width) const {
    return verbalizers_cost(num_layers, 0, batch_.answers, verbalizers_width).working_bytes(b_);
  }
  double expected(const ModelSizes& model, double num_layers, double row_width) const {
    return head_summary_cost(num_layers * batch_.answers, static_cast<double>(model.text().vocab_size), width(model),
                             row_width)
        .working_bytes(b_);
  }

  double interaction_losses() const {
    const auto& student = run_.student;
    const auto rows = interaction_rows(run_);
    // Without heads the student's verbalizers are as wide as the teacher inside.
    const bool is_teachers = !run_.config.interact.head && run_.teacher != nullptr;
    double work = verbalized(rows.student_verbalized, width(is_teachers ? *run_.teacher : student)) +
                  expected(student, rows.student_summarized + rows.teacher_summarized, width(student));
    if (runs_teacher_) {
      work += verbalized(rows.teacher_verbalized, width(*run_.teacher)) +
              logit_l2_cost(run_, batch_.answers).working_bytes(b_);
    }
    return work;
  }

  double head_passes() const {
    const auto& config = run_.config;
    const auto& student = run_.student;
    double work = 0;
    if (kind_ == StepKind::kFinetune) {
      work = expected(student, 1, width(student));
    } else if (is_verbalization(kind_)) {
      const auto& model = runs_student_ ? student : *run_.teacher;
      const auto num_layers = static_cast<double>(settings_of(config, kind_).layers.size());
      work = verbalized(num_layers, width(model)) + expected(model, num_layers + 1, width(model));
    } else {
      work = interaction_losses();
    }
    if (kind_ == StepKind::kInteract && runs_teacher_ && logits_are_compared(config.interact)) {
      work += kFloatBytes * num_gram_values(width(student), width(*run_.teacher));
    }
    if (kind_ == StepKind::kInteract && runs_teacher_ && config.interact.weighting.is_on()) {
      work = std::max(work, expected(*run_.teacher, 2, width(*run_.teacher)));  // seeing and not, before the losses
    }
    if (kind_ == StepKind::kInteract && runs_teacher_) {
      work += divergence_cost(run_, batch_.answers).working_bytes(b_);
    }
    const auto& checked = runs_teacher_ ? *run_.teacher : student;
    return std::max(work, head_check_bytes(static_cast<double>(checked.text().vocab_size), width(checked)));
  }

  // ---- what is kept of pictures and samples ----

  double caches() const {
    const auto features = [&](const ModelSizes& model, const BatchShape& mean) {
      const double epoch = data_.epoch_records / std::max(1.0, data_.mean.samples);
      const double batches =
          std::min(iterations_ * accumulate_, epoch * data_.distinct_pictures);  // that bring a new picture
      return std::min(static_cast<double>(KeptPictureFeatures::kCapacityBytes),
                      batches * mean.patches * static_cast<double>(model.model->tower().feature_width()) * b_);
    };
    double bytes = 0;
    if (runs_student_) bytes += features(run_.student, data_.mean);
    if (runs_teacher_) bytes += features(*run_.teacher, data_.teacher_mean);
    // Patches of an iteration's micro-batches, and of those that are made ahead.
    const auto patches = [&](const ModelSizes& model) {
      return (accumulate_ + 1) * shown(model).patches * static_cast<double>(model.model->tower().patch_values()) *
             kFloatBytes;
    };
    if (runs_student_) bytes += patches(run_.student);
    if (runs_teacher_ && !(runs_student_ && data_.is_shown_the_same)) bytes += patches(*run_.teacher);
    return bytes + drawing_cache();
  }

  /// Keys and values of the answers that are drawn at once.
  double drawing_cache() const {
    const auto& drawn = run_.config.interact.on_policy;
    if (kind_ != StepKind::kInteract || drawn.share == 0) return 0;
    const double samples = std::max(1.0, batch_.samples);
    const auto count = static_cast<int64_t>(std::ceil(drawn.share * samples * accumulate_));
    const auto length = static_cast<int64_t>(batch_.tokens / samples) + drawn.max_new_tokens;
    const int64_t bytes = KvCache::bytes_a_block(student_text(), run_.dtype);
    return static_cast<double>(
        bytes * num_drawing_blocks(count, std::min(length, run_.config.interact.data.sample_tokens), bytes));
  }

  /// Freed memory stays with the process for the next tensor. What lies between tensors that live on serves no larger
  /// one: measured on runs of 4 and 8 layers of width 1,024, from none to 130 MB of it, and in float32 with
  /// checkpointing up to 170 MB.
  double allocator_gaps() const {
    constexpr double kAlways = 70 * kMiB, kShareOfLayers = 0.3;
    const double base = std::min(kAlways, total_without_gaps());  // a tiny run has tiny gaps
    if (is_verbalization(kind_) || !is_wide(run_) || !run_.config.activation_checkpointing) return base;
    return base + kShareOfLayers * kept_by_all_layers();
  }

  double total_without_gaps() const {
    return trained_weights() + gradients() + exchange() + verbalizers() + activations() + head_passes() + caches();
  }

  const PlannedRun& run_;
  const StepKind kind_;
  const DataShape& data_;
  const BatchShape &batch_, &teacher_batch_;
  const double iterations_, b_, accumulate_, ranks_;
  const bool is_on_device_, runs_student_, runs_teacher_;
  const TrainedValues trained_;
};

}  // namespace

std::vector<MemoryPart> step_memory(const PlannedRun& run, StepKind step, const DataShape& data, double iterations) {
  return Step(run, step, data, iterations).parts();
}

double total_bytes(const std::vector<MemoryPart>& parts) {
  double sum = 0;
  for (const auto& part : parts) sum += part.bytes;
  return sum;
}

}  // namespace vlsi
