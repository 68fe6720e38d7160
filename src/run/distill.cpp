#include "run/distill.h"

#include <c10/util/Exception.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <utility>

#include "base/atomic_file.h"
#include "base/contains.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/present_device.h"
#include "base/random.h"
#include "method/step1_verbalize.h"
#include "method/step2_interact.h"
#include "method/step3_finetune.h"
#include "model/parts.h"
#include "run/learning.h"
#include "run/on_policy.h"
#include "run/pair.h"
#include "run/run_cache.h"
#include "run/run_verbalizers.h"
#include "run/step_data.h"
#include "run/student.h"
#include "run/validate.h"
#include "run/version.h"
#include "teacher/sight.h"
#include "teacher/visual_advantage.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

/// One run: its steps, one after the other.
class Run {
 public:
  Run(const RunConfig& config, const DistillOptions& options, const Ranks& ranks)
      : config_(config),
        ranks_(ranks),
        data_may_differ_(options.data_may_differ),
        directory_(config.out, write_settings(config), options.resume, ranks, free_keys()),
        steps_(planned_steps(config, options.among)),
        stands_at_(directory_.checkpoint() ? std::optional(step_of(*directory_.checkpoint())) : std::nullopt),
        pair_(config, ranks, shows_teacher()) {
    if (config.metrics.tensorboard) directory_.add_event_files();
    student().set_activation_checkpointing(config.activation_checkpointing);
    find_left_out(/*is_asked=*/options.among != steps_by_choice());
    check_before_training();
    count_iterations();
    trains_ = std::any_of(steps_.begin(), steps_.end(), [&](StepKind step) { return is_to_come(step); });
    if (takes_step(StepKind::kInteract) && !is_over(StepKind::kInteract) && !config.teacher.cache.empty())
      cached_teacher_ = open_cached_teacher(config, pair_.processors(), student());
  }

  Outcome run() {
    if (ranks_.is_first() && !is_told()) {
      const auto learning = learning_json(config_, student(), steps_);
      write_json(config_.out / "version.json", version_json());
      write_json(config_.out / "learning.json", learning);
      for (const auto& line : learning_lines(learning)) log_info(line);
    }
    if (const auto& found = directory_.checkpoint()) {
      log_info(concat("continuing from ", found->path.string()));
      // Its verbalizers know the student by its weights as they were before the interaction.
      if (takes_step(StepKind::kInteract) && !is_over(StepKind::kInteract)) backbone_of(pair_.student());
      restore_student(student(), config_, *found);  // the step itself restores the rest
    }
    for (const auto step : steps_) {
      const auto started = Clock::now();
      if (run_step(step) == Outcome::kInterrupted) {
        log_info("stopped; continue with --resume");
        return Outcome::kInterrupted;
      }
      const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
      if (!left_out_.contains(step))
        summary_.push_back({{"step", name_of(step)}, {"iterations", iterations_.at(step)}, {"seconds", seconds}});
      pair_.drop_verbalizers();
      release_freed_memory();  // its tensors' sizes are not the next step's
    }
    finish();
    return Outcome::kFinished;
  }

 private:
  using Clock = std::chrono::steady_clock;

  Vlm& student() { return *pair_.student().model; }

  // ---- which steps ----

  bool takes_step(StepKind step) const { return contains(steps_, step); }

  /// Whether the checkpoint is of a later step, so that this one is over.
  bool is_over(StepKind step) const { return stands_at_ && step < *stands_at_; }

  bool is_to_come(StepKind step) const {
    const bool has_ended = stands_at_ == step && directory_.checkpoint()->state.iteration >= iterations_.at(step);
    return !is_over(step) && !has_ended;
  }

  /// Whether the teacher's input is made: for a step that is to come, or, with its model at hand, to count iterations.
  bool shows_teacher() const {
    const bool is_there = !config_.teacher.model.empty() && std::filesystem::exists(config_.teacher.model);
    return std::any_of(step_table().begin(), step_table().end(), [&](const StepEntry& step) {
      const auto settings = step.settings(config_);
      const bool counts = is_there && settings.iterations > 0 && settings.epochs > 0;
      return runs_teacher(config_, step.kind) && (counts || (takes_step(step.kind) && !is_over(step.kind)));
    });
  }

  /// Steps that are over without having been taken: an Error where --only asks for one, else a warning.
  void find_left_out(bool is_asked) {
    for (const auto step : steps_) {
      if (!is_over(step) || directory_.has_metrics_of(name_of(step))) continue;
      const auto place = "resuming the run in " + config_.out.string();
      const auto past =
          concat("the run is past it: its newest checkpoint is ", directory_.checkpoint()->path.filename().string());
      if (is_asked) fail(place, ": --only asks for ", name_of(step), ", but ", past);
      left_out_.insert(step);
      if (ranks_.is_first()) log_warning(concat(place, ": ", name_of(step), " was left out, and ", past));
    }
  }

  /// What would otherwise be found after hours of training.
  void check_before_training() {
    const auto place = config_.out.string();
    check_layers(config_.student.layers, student().config(), "student.layers", place);
    for (const auto step : steps_) {
      if (is_verbalization(step)) continue;
      const auto settings = settings_of(config_, step);
      const auto key = concat(place, ": key '", entry_of(step).key, ".train'");
      check_parts(student(), settings.train, key);
      const bool verbalizers_learn = step == StepKind::kInteract && !config_.interact.head;
      if (!verbalizers_learn)
        check_reached(student(), settings.train, /*head_learns=*/step == StepKind::kFinetune, key);
      check_validation(*pair_.student().processor, settings.data);
    }
    if (!steps_.empty() && steps_.front() != StepKind::kFinetune) check_given_verbalizers(config_);
    if (pair_.processors().teacher)
      check_layers(config_.teacher.layers, load_model_config(config_.teacher.model), "teacher.layers", place);
    if (takes_step(StepKind::kInteract) && !is_over(StepKind::kInteract))
      check_head_stays(config_.interact, student().config(), place, !config_.teacher.cache.empty());
  }

  /// Of all steps, whichever this start takes: the order of checkpoints goes by their sums.
  void count_iterations() {
    for (const auto& step : step_table()) {
      const auto settings = step.settings(config_);
      const bool by_epochs = settings.iterations > 0 && settings.epochs > 0;
      const int64_t iterations =
          by_epochs ? iterations_of_epochs(config_, step.kind, pair_.processors().maker(config_, step.kind),
                                           directory_.ranks_at_start())
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

  Outcome run_step(StepKind step) {
    if (is_over(step)) return Outcome::kFinished;
    if (is_verbalization(step)) return verbalize_model(step);
    return step == StepKind::kInteract ? interact_step() : finetune_step();
  }

  // ---- the steps ----

  Outcome verbalize_model(StepKind kind) {
    auto& speaker = pair_.verbalized_by(kind);
    auto& model = *speaker.model;
    const bool of_student = &model == &student();
    if (!of_student) student().release_memory();  // it is not read in this step
    make_trainable(model, {}, name_of(kind));
    take_verbalizers_to_train(config_, kind, speaker);
    const auto& verbalizers = *speaker.verbalizers;
    const auto end_of_turn = pair_.processors().of(kind).end_of_turn();
    TrainingStep step = describe(kind);
    for (auto& [name, parameter] : verbalizers.trained_parameters()) {
      step.parameters.emplace_back(name, parameter.set_requires_grad(true));
    }
    step.checks.emplace_back([&](const Batch& batch) {
      check_objective(model, &verbalizers, model.head(), of_student ? "student" : "teacher",
                      to_device(batch, model.device()), speaker.pictures.get());
      return true;
    });
    if (!of_student) add_sight_check(step);
    FrozenRows rows(speaker.model, verbalizers.request(/*final_rows=*/false), speaker.pictures);
    step.prepare = [&](const std::vector<Batch>& batches) { rows.prepare(batches); };
    step.loss = [&](const Batch& batch) { return verbalize(rows, verbalizers, batch, end_of_turn); };
    const Outcome outcome = train_step(kind, step);
    if (outcome == Outcome::kInterrupted) return outcome;
    const auto& backbone = backbone_of(speaker);  // of a sharded teacher, all ranks' work
    if (ranks_.is_first()) verbalizers.save(config_.out / entry_of(kind).verbalizers_folder, backbone);
    ranks_.wait_for_all();  // the interaction reads them
    return outcome;
  }

  Outcome interact_step() {
    const auto& settings = config_.interact;
    auto& speaker = pair_.student();
    auto* running = runs_teacher(config_, StepKind::kInteract) ? &pair_.teacher() : nullptr;
    const auto of_verbalizers = take_interaction_verbalizers(config_, speaker, running);
    const auto teacher = interaction_teacher(running);
    TrainingStep step = describe(StepKind::kInteract, teacher.read_ahead);
    step.parameters = make_trainable(student(), settings.train, "interact.train");
    step.parameters.insert(step.parameters.end(), of_verbalizers.begin(), of_verbalizers.end());
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
      grams = head_grams(student().head(), teacher.running->head);
    }
    const Interaction interaction{student(),
                                  speaker.verbalizers.get(),
                                  teacher,
                                  settings,
                                  random,
                                  speaker.processor->end_of_turn(),
                                  grams ? &*grams : nullptr,
                                  speaker.pictures.get()};
    step.checks.emplace_back([&](const Batch& batch) {
      const auto head = running != nullptr ? student().head().narrow(0, 0, teacher.shared_rows) : student().head();
      const auto check = [&](const Speaker& whose, const char* name, const Batch& shown) {
        const auto* verbalizers = settings.head ? whose.verbalizers.get() : nullptr;
        check_objective(*whose.model, verbalizers, head, name, to_device(shown, student().device()),
                        whose.pictures.get());
      };
      check(speaker, "student", batch);
      if (running != nullptr) check(*running, "teacher", batch.for_teacher());
      return true;
    });
    if (running != nullptr) add_sight_check(step);
    if (teacher_is_read(settings)) step.prepare = teacher.prepare;
    std::optional<OnPolicyAnswers> drawn;
    if (settings.on_policy.share > 0) step.rewriting = &drawn.emplace(config_, speaker, teacher.shared_rows);
    int64_t now = 0;
    bool measures = false;
    step.begin = [&](int64_t iteration) {
      now = iteration;
      const auto every = settings.gradient_norms_every;
      measures = every > 0 && (now == 0 || (now + 1) % every == 0);
    };
    step.loss = [&](const Batch& batch) {
      auto current = interaction;
      current.intermediate_weight = intermediate_weight(settings, now, step.iterations);
      if (std::exchange(measures, false)) current.measured = &step.parameters;  // of the first micro-batch
      return interact(current, batch);
    };
    return train_student(StepKind::kInteract, step);
  }

  Outcome finetune_step() {
    pair_.drop_teacher();
    cached_teacher_.reset();
    release_freed_memory();
    TrainingStep step = describe(StepKind::kFinetune);
    step.parameters = make_trainable(student(), config_.finetune.train, "finetune.train");
    step.carried = changed_before_finetune(student(), config_);
    auto* const pictures = pair_.student().pictures.get();
    step.checks.emplace_back([&](const Batch& batch) {
      check_objective(student(), nullptr, student().head(), "student", to_device(batch, student().device()), pictures);
      return true;
    });
    const auto end_of_turn = pair_.student().processor->end_of_turn();
    step.loss = [&](const Batch& batch) { return finetune(student(), batch, end_of_turn, pictures); };
    return train_student(StepKind::kFinetune, step);
  }

  /// The cache, the model itself, or no teacher where no loss is about one.
  Teacher interaction_teacher(const Speaker* running) {
    if (cached_teacher_) return *cached_teacher_;
    if (running == nullptr) return {};
    const auto teacher = live_teacher(running->model, running->verbalizers, pair_.student().model,
                                      pair_.processors().shared_ids, running->pictures);
    if (!config_.interact.weighting.is_on()) return teacher;
    return with_visual_advantage(teacher, running->model, pair_.student().model);
  }

  /// Once a run, with the first micro-batch that can tell.
  void add_sight_check(TrainingStep& step) {
    if (!config_.teacher.check_sight || sight_is_checked_) return;
    step.checks.emplace_back([&, place = step.name](const Batch& batch) {
      sight_is_checked_ = check_sight(*pair_.teacher().model, batch.for_teacher(), place);
      return sight_is_checked_;
    });
  }

  TrainingStep describe(StepKind kind, std::function<void(const Sample&)> announce = {}) {
    TrainingStep step;
    step.name = name_of(kind);
    step.iterations = iterations_.at(kind);
    step.optimizer = settings_of(config_, kind).optimizer;
    auto data = open_training_data(config_, kind, pair_.processors().maker(config_, kind), std::move(announce));
    step.open_data = std::move(data.open);
    step.data = std::move(data.files);
    step.data_may_differ = data_may_differ_;
    if (stands_at_ == kind) step.resumed = &*directory_.checkpoint();
    return step;
  }

  Outcome train_step(StepKind kind, TrainingStep& step) {
    return train(step, directory_, config_.checkpoint, iterations_before(kind), student().device());
  }

  /// Trains and, at the end, logs the loss on the step's validation data. An interrupt meanwhile leaves that to the
  /// next start, which finds the step's last checkpoint.
  Outcome train_student(StepKind kind, TrainingStep& step) {
    const auto settings = settings_of(config_, kind);
    const Outcome outcome = train_step(kind, step);
    if (contains(settings.train, "vision")) pair_.forget_pictures();
    if (outcome == Outcome::kInterrupted || settings.data.validation.empty()) return outcome;
    const auto losses = ranks_.is_first() ? validate(pair_.student(), settings.data) : std::nullopt;
    // All stop where the first does.
    if (ranks_.all_gather(std::string(losses ? "whole" : ""))[0].empty()) return Outcome::kInterrupted;
    if (!ranks_.is_first()) return outcome;
    OrderedJson line{{"step", step.name}, {"iteration", step.iterations}};
    line.update(*losses);
    directory_.append_metrics(line);
    return outcome;
  }

  /// Whether this start has nothing to train, and summary.json is of where the run stands.
  bool is_told() const {
    const bool is_there = !trains_ && std::filesystem::exists(config_.out / kRunSummaryFile);
    const auto newest = newest_checkpoint_name(config_.out);
    return is_there && (!stands_at_ || is_verbalization(*stands_at_) || checkpoint_of_model(config_.out) == newest);
  }

  bool is_finetuned() const { return takes_step(StepKind::kFinetune) || stands_at_ == StepKind::kFinetune; }

  void finish() {
    if (!ranks_.is_first()) return;
    const bool student_changed = !std::all_of(steps_.begin(), steps_.end(), is_verbalization);
    if (student_changed) save_student(student(), config_, is_finetuned());
    const auto done = "done: " + (student_changed ? (config_.out / "model").string() : config_.out.string());
    // What an earlier start took and measured stands, where this one trained nothing.
    if (is_told()) return log_info(done);
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    OrderedJson summary{{"steps", summary_}, {"peak_memory_bytes", usage.ru_maxrss * 1024}};
    const auto newest = student_changed ? newest_checkpoint(config_.out) : std::nullopt;
    const auto of_model = newest ? newest->path.filename().string() : checkpoint_of_model(config_.out);
    if (!of_model.empty()) summary["student"] = of_model;
    const auto device = student().device();
    if (!device.is_cpu()) {
      if (const auto peak = peak_memory(device)) summary["peak_device_memory_bytes"] = *peak;
    }
    write_json(config_.out / kRunSummaryFile, summary);
    log_info(done);
  }

  const RunConfig& config_;
  const Ranks& ranks_;
  const bool data_may_differ_;
  RunDirectory directory_;
  const std::vector<StepKind> steps_;
  std::optional<StepKind> stands_at_;       // the checkpoint's
  std::set<StepKind> left_out_;             // of steps_, what is over and was not taken
  std::map<StepKind, int64_t> iterations_;  // of every step
  Pair pair_;
  std::optional<Teacher> cached_teacher_;
  bool sight_is_checked_ = false;
  bool trains_ = false;  // whether there is a step to come
  OrderedJson summary_ = OrderedJson::array();
};

}  // namespace

Outcome distill(const RunConfig& config, const DistillOptions& options, const Ranks& ranks) {
  try {
    return Run(config, options, ranks).run();
  } catch (const c10::OutOfMemoryError& error) {
    const std::string text = error.what_without_backtrace();
    const auto found = newest_checkpoint(config.out);
    fail("running ", config.out.string(), ": ", config.device.text(),
         " is out of memory: ", text.substr(0, text.find('\n')), "; ",
         found ? concat("go on from ", found->path.filename().string(), " by --resume") : "there is no checkpoint yet",
         "; what takes less: a smaller batch_tokens, activation_checkpointing: true, and what vlsi plan names");
  }
}

}  // namespace vlsi
