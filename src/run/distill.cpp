#include "run/distill.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/atomic_file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "checkpoint/adapter.h"
#include "checkpoint/load.h"
#include "checkpoint/picture_features.h"
#include "checkpoint/save.h"
#include "family/family.h"
#include "method/step1_verbalize.h"
#include "method/step2_interact.h"
#include "method/step3_finetune.h"
#include "model/parts.h"
#include "run/data.h"
#include "run/pair.h"
#include "run/run_cache.h"
#include "run/run_verbalizers.h"
#include "run/student.h"
#include "run/version.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// The models, verbalizers and progress of one run.
class Run {
 public:
  Run(const RunConfig& config, const DistillOptions& options, const Ranks& ranks)
      : config_(config),
        options_(options),
        place_(config.out.string()),
        ranks_(ranks),
        device_(ranks.device_for(config.device)),
        dtype_(config.dtype),
        directory_(config.out, write_settings(config), options.resume, ranks, free_keys()),
        steps_(planned_steps(config, options.among)) {
    if (directory_.checkpoint()) stands_at_ = step_of(*directory_.checkpoint());
    student_ = load_student(config, dtype_, device_);
    student_pictures_ = std::make_shared<KeptPictureFeatures>(config.vision_cache);
    teacher_pictures_ = std::make_shared<KeptPictureFeatures>(config.vision_cache);
    student_->set_activation_checkpointing(config.activation_checkpointing);
    processor_ = load_processor(config.student.model, config.data.special_tokens);
    check_layers(config.student.layers, student_->config(), "student.layers", place_);
    for (const auto step : steps_) {
      if (!is_verbalization(step)) check_training(step);
    }
    if (!steps_.empty() && steps_.front() != StepKind::kFinetune) check_given_verbalizers(config);
    count_iterations();
    const bool interacts = takes_step(StepKind::kInteract) && !is_over(StepKind::kInteract),
               is_cached = !config.teacher.cache.empty();
    if (takes_step(StepKind::kVerbalizeTeacher) || (interacts && !is_cached))
      check_pair(config, *processor_, student_->config());
    if (interacts) {
      check_head_stays(config.interact, student_->config(), place_, is_cached);
      if (is_cached) cached_teacher_ = open_cached_teacher(config, *processor_, *student_);
    }
  }

  Outcome run() {
    if (ranks_.is_first()) write_json(config_.out / "version.json", version_json());
    if (const auto& found = directory_.checkpoint()) restore(*found);
    for (const auto step : steps_) {
      const auto started = Clock::now();
      if (run_step(step) == Outcome::kInterrupted) {
        log_info("stopped; continue with --resume");
        return Outcome::kInterrupted;
      }
      const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
      summary_.push_back({{"step", name_of(step)}, {"iterations", iterations_.at(step)}, {"seconds", seconds}});
      release_freed_memory();  // its tensors' sizes are not the next step's
    }
    finish();
    return Outcome::kFinished;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // ---- which steps ----

  bool takes_step(StepKind step) const { return std::find(steps_.begin(), steps_.end(), step) != steps_.end(); }

  /// What is found now, not after hours of training.
  void check_training(StepKind step) const {
    const auto settings = settings_of(config_, step);
    check_parts(*student_, settings.train, concat(place_, ": key '", entry_of(step).key, ".train'"));
    check_validation(*processor_, settings.data);
  }

  /// Of all steps, whichever this start takes: the order of checkpoints goes by their sums.
  void count_iterations() {
    for (const auto& step : step_table()) {
      const auto settings = step.settings(config_);
      const bool by_epochs = settings.iterations > 0 && settings.epochs > 0;
      const int64_t iterations =
          by_epochs ? iterations_of_epochs(config_, step.kind, *processor_, directory_.ranks_at_start())
                    : settings.iterations;
      if (by_epochs) log_info(concat(step.name, ": ", settings.epochs, " epochs are ", iterations, " iterations"));
      iterations_[step.kind] = iterations;
    }
  }

  int64_t iterations_before(StepKind step) const {
    int64_t sum = 0;
    for (const auto& [earlier, iterations] : iterations_) sum += earlier < step ? iterations : 0;
    return sum;
  }

  /// Whether the checkpoint is of a later step, so that this one is over.
  bool is_over(StepKind step) const { return stands_at_ && step < *stands_at_; }

  Outcome run_step(StepKind step) {
    if (is_over(step)) return Outcome::kFinished;
    switch (step) {
      case StepKind::kVerbalizeStudent: return verbalize_model(step, student_);
      case StepKind::kVerbalizeTeacher: return verbalize_model(step, teacher());
      case StepKind::kInteract: return interact_step();
      case StepKind::kFinetune: return finetune_step();
    }
    TORCH_CHECK(false, "no step");
  }

  // ---- the steps ----

  Outcome verbalize_model(StepKind kind, const std::shared_ptr<Vlm>& model) {
    const auto settings = settings_of(config_, kind);
    const bool of_student = model == student_;
    if (!of_student) student_->release_memory();  // it is not read in this step
    make_trainable(*model, {}, name_of(kind));
    const auto& pictures = of_student ? student_pictures_ : teacher_pictures_;
    const auto verbalizers = verbalizers_to_train(backbone_of(model), settings.verbalizers, config_.verbalize.network,
                                                  settings.layers, derive_seed(config_.seed, name_of(kind)));
    NamedTensors parameters;
    for (auto& item : verbalizers->trained_parameters()) {
      parameters.emplace_back(item.first, item.second.set_requires_grad(true));
    }
    TrainingStep step = describe(kind);
    step.parameters = std::move(parameters);
    step.check = [&](const Batch& batch) {
      check_objective(*model, verbalizers.get(), model->head(), of_student ? "student" : "teacher", batch,
                      pictures.get());
    };
    FrozenRows rows(model, verbalizers->request(/*final_rows=*/false), pictures);
    step.prepare = [&](const std::vector<Batch>& batches) { rows.prepare(batches); };
    step.loss = [&](const Batch& batch) { return verbalize(rows, *verbalizers, batch, processor_->end_of_turn()); };
    const Outcome outcome = train_step(kind, step);
    if (outcome == Outcome::kInterrupted) return outcome;
    const auto& fingerprint = backbone_of(model).fingerprint();  // of a sharded teacher, all ranks' work
    if (ranks_.is_first()) verbalizers->save(config_.out / entry_of(kind).verbalizers_folder, fingerprint);
    ranks_.wait_for_all();  // the interaction reads them
    return outcome;
  }

  Outcome interact_step() {
    const auto& settings = config_.interact;
    const auto* running = cached_teacher_ ? nullptr : &backbone_of(teacher());
    const auto verbalizers = interaction_verbalizers(config_, backbone_of(student_), running);
    const auto teacher_in_use =
        cached_teacher_ ? *cached_teacher_ : live_teacher(teacher(), verbalizers.teacher, student_, teacher_pictures_);
    TrainingStep step = describe(StepKind::kInteract, teacher_in_use.read_ahead);
    step.parameters = make_trainable(*student_, settings.train, "interact.train");
    step.parameters.insert(step.parameters.end(), verbalizers.trained.begin(), verbalizers.trained.end());
    Random random(derive_seed(config_.seed, "matching"));
    step.random = &random;
    if (settings.intermediate_loss == LossKind::kKl || settings.intermediate_loss == LossKind::kL2) {
      step.draws = num_draws(settings.matching, std::ssize(config_.student.layers));
    }
    step.sparse_metric = settings.intermediate_loss == LossKind::kL2 ? "l2_matrix" : "kl_matrix";
    step.sparse_every = settings.kl_matrix_every;
    std::optional<HeadGrams> grams;
    if (logits_are_compared(settings)) {
      log_info("interact: computing the Gram matrices of the language heads, for the loss l2");
      grams = head_grams(student_->head(), teacher()->head());
    }
    const Interaction interaction{*student_,
                                  verbalizers.student.get(),
                                  teacher_in_use,
                                  settings,
                                  random,
                                  processor_->end_of_turn(),
                                  grams ? &*grams : nullptr,
                                  student_pictures_.get()};
    step.check = [&](const Batch& batch) {
      const bool reads_heads = settings.head;
      check_objective(*student_, reads_heads ? verbalizers.student.get() : nullptr, student_->head(), "student", batch,
                      student_pictures_.get());
      if (cached_teacher_) return;
      check_objective(*teacher(), reads_heads ? verbalizers.teacher.get() : nullptr, student_->head(), "teacher", batch,
                      teacher_pictures_.get());
    };
    if (teacher_is_read(settings)) step.prepare = teacher_in_use.prepare;
    step.loss = [&](const Batch& batch) { return interact(interaction, batch); };
    return train_student(StepKind::kInteract, step);
  }

  Outcome finetune_step() {
    teacher_.reset();
    teacher_pictures_.reset();
    teacher_backbone_.reset();
    cached_teacher_.reset();
    release_freed_memory();
    TrainingStep step = describe(StepKind::kFinetune);
    step.parameters = make_trainable(*student_, config_.finetune.train, "finetune.train");
    step.carried = changed_before_finetune(step.parameters);
    step.check = [&](const Batch& batch) {
      check_objective(*student_, nullptr, student_->head(), "student", batch, student_pictures_.get());
    };
    step.loss = [&](const Batch& batch) {
      return finetune(*student_, batch, processor_->end_of_turn(), student_pictures_.get());
    };
    return train_student(StepKind::kFinetune, step);
  }

  TrainingStep describe(StepKind kind, std::function<void(const Sample&)> announce = {}) const {
    TrainingStep step;
    step.name = name_of(kind);
    step.iterations = iterations_.at(kind);
    step.optimizer = settings_of(config_, kind).optimizer;
    step.open_data = open_training_data(config_, kind, *processor_, std::move(announce));
    if (stands_at_ == kind) step.resumed = &*directory_.checkpoint();
    return step;
  }

  Outcome train_step(StepKind kind, TrainingStep& step) {
    return train(step, directory_, config_.checkpoint, iterations_before(kind), device_);
  }

  /// Trains and, at the end, logs the loss on the step's validation data.
  Outcome train_student(StepKind kind, TrainingStep& step) {
    const Outcome outcome = train_step(kind, step);
    if (outcome == Outcome::kInterrupted || !ranks_.is_first()) return outcome;
    if (const auto losses = validate(*student_, *processor_, settings_of(config_, kind).data); !losses.empty()) {
      OrderedJson line{{"step", step.name}, {"iteration", step.iterations}};
      line.update(losses);
      directory_.append_metrics(line);
    }
    return outcome;
  }

  // ---- models ----

  std::shared_ptr<Vlm> teacher() {
    if (teacher_) return teacher_;
    teacher_ = load_vlm(config_.teacher.model, dtype_, device_, config_.teacher.residency, ranks_);
    return teacher_;
  }

  const Backbone& backbone_of(const std::shared_ptr<Vlm>& model) {
    auto& known = model == student_ ? student_backbone_ : teacher_backbone_;
    if (!known) known.emplace(model);
    return *known;
  }

  /// What the interaction trained and the fine-tuning does not.
  NamedTensors changed_before_finetune(const NamedTensors& trained_now) const {
    NamedTensors carried;
    if (config_.interact.iterations == 0) return carried;
    const auto& parts = config_.interact.train;
    for (auto& item : student_->named_parameters()) {
      const bool changed = std::find(parts.begin(), parts.end(), part_of(item.first)) != parts.end();
      const bool trained =
          std::any_of(trained_now.begin(), trained_now.end(), [&](const auto& t) { return t.first == item.first; });
      if (changed && !trained) carried.emplace_back(item.first, item.second);
    }
    return carried;
  }

  /// The student as the checkpoint's step had it; the step itself restores the rest.
  void restore(const FoundCheckpoint& found) {
    log_info(concat("continuing from ", found.path.string()));
    restore_student(*student_, config_, found);
  }

  /// Whether the adapters are all that the student learnt.
  bool trained_adapters_alone() const {
    std::vector<std::string> parts;
    if (config_.interact.iterations > 0) parts = config_.interact.train;
    if (takes_step(StepKind::kFinetune))
      parts.insert(parts.end(), config_.finetune.train.begin(), config_.finetune.train.end());
    return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](const auto& part) { return part == "lora"; });
  }

  void finish() {
    if (!ranks_.is_first()) return;
    const bool student_changed =
        std::any_of(steps_.begin(), steps_.end(), [](StepKind step) { return !is_verbalization(step); });
    if (student_changed) {
      save_vlm(config_.out / "model", *student_, dtype_, config_.student.model);
      if (trained_adapters_alone()) {
        save_adapter(config_.out / "adapter", *student_, config_.student.model.string());
      } else {
        fs::remove_all(config_.out / "adapter");  // of an earlier step alone
      }
    }
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    write_json(config_.out / "summary.json", {{"steps", summary_}, {"peak_memory_bytes", usage.ru_maxrss * 1024}});
    log_info("done: " + (student_changed ? (config_.out / "model").string() : config_.out.string()));
  }

  const RunConfig& config_;
  const DistillOptions options_;
  const std::string place_;
  const Ranks& ranks_;
  const at::Device device_;
  const at::ScalarType dtype_;
  RunDirectory directory_;
  const std::vector<StepKind> steps_;
  std::optional<StepKind> stands_at_;       // the checkpoint's
  std::map<StepKind, int64_t> iterations_;  // of every step
  std::shared_ptr<Vlm> student_, teacher_;
  std::shared_ptr<PictureFeatures> student_pictures_, teacher_pictures_;  // what their towers made of pictures
  std::optional<Backbone> student_backbone_, teacher_backbone_;
  std::optional<Teacher> cached_teacher_;
  std::unique_ptr<Processor> processor_;
  OrderedJson summary_ = OrderedJson::array();
};

}  // namespace

Outcome distill(const RunConfig& config, const DistillOptions& options, const Ranks& ranks) {
  return Run(config, options, ranks).run();
}

}  // namespace vlsi
