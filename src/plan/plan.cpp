#include "plan/plan.h"

#include <ATen/Device.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/disk_space.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/present_device.h"
#include "base/safetensors.h"
#include "base/size_text.h"
#include "checkpoint/load.h"
#include "family/family.h"
#include "run/pair.h"
#include "run/run_verbalizers.h"
#include "teacher/cache_format.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

// Of the running program, beyond what planning had in memory: code of the products, buffers.
constexpr double kProgramBytes = 30 << 20;
// Steps take so much longer than their products alone at the rate of a plain one: norms, attention's softmax, head
// passes, the update.
constexpr double kStepOverProducts = 1.25;

/// The last of `layers`, the one before the last but one, and so on, ascending.
std::vector<int64_t> every_other(const std::vector<int64_t>& layers) {
  std::vector<int64_t> kept;
  for (size_t i = 0; i < layers.size(); ++i) {
    if ((layers.size() - i) % 2 == 1) kept.push_back(layers[i]);
  }
  return kept;
}

/// Where a run stands that is continued.
struct Done {
  StepKind step;
  double iterations, ranks;  // of that step; that the run began with
};

std::optional<Done> done_by(const RunConfig& config, bool resume) {
  const auto found = resume ? newest_checkpoint(config.out) : std::nullopt;
  if (!found) return std::nullopt;
  return Done{step_of(*found), static_cast<double>(found->state.iteration), static_cast<double>(found->state.ranks)};
}

/// The steps of `config` that are not over.
std::vector<StepKind> steps_left(const RunConfig& config, const std::vector<StepKind>& among,
                                 const std::optional<Done>& done) {
  auto steps = planned_steps(config, among);
  if (done) std::erase_if(steps, [&](StepKind step) { return step < done->step; });
  return steps;
}

/// The models' sizes, and what each step's data is like.
class Planner {
 public:
  Planner(const RunConfig& config, const PlanOptions& options)
      : config_(config),
        among_(options.among),
        num_ranks_(options.num_ranks),
        given_program_bytes_(options.program_bytes),
        dtype_(config.dtype),
        done_(done_by(config, options.resume)),
        steps_(steps_left(config, options.among, done_)) {
    if (!is_here(config.device)) {
      fail(config.out.string(), ": key 'device' is ", config.device.text(),
           ", which is not here; a plan needs the device that it is for");
    }
    student_ = read_model_sizes(config.student.model, dtype_);
    check_layers(config.student.layers, student_.model->config(), "student.layers", config.out.string());
    if (std::any_of(steps_.begin(), steps_.end(), [&](StepKind step) { return runs_teacher(config, step); })) {
      teacher_ = read_model_sizes(teacher_directory(config), dtype_);
      check_layers(config.teacher.layers, teacher_->model->config(), "teacher.layers", config.out.string());
    }
    if (!config.student.adapter.empty()) {
      const auto adapter = SafetensorsFile::open(config.student.adapter / "adapter_model.safetensors");
      for (const auto& [name, info] : adapter->tensors()) adapter_values_ += num_values(info);
    }
  }

  bool has_steps() const { return !steps_.empty(); }

  /// The micro-batches that the steps begin with.
  void look_at_data() {
    const auto processors = load_processors(config_, teacher_.has_value());
    for (const auto step : steps_) data_[step] = vlsi::look_at_data(config_, step, processors.maker(config_, step));
    program_bytes_ = program_bytes_now();
  }

  /// The largest ones that the configuration allows, in their place.
  void assume_largest() {
    const auto patches_a_row = [](const ModelSizes& model) { return model.model->projector().patches_a_row(); };
    const double of_student = patches_a_row(student_), of_teacher = teacher_ ? patches_a_row(*teacher_) : of_student;
    for (const auto step : steps_) {
      data_[step] = largest_possible(settings_of(config_, step).data,
                                     step == StepKind::kVerbalizeTeacher ? of_teacher : of_student, of_teacher);
    }
    constexpr double kTokenizers = 512 << 20;
    program_bytes_ = program_bytes_now() + (config_.device.value.is_cpu() ? kTokenizers : 0);
  }

  /// The steps of `config`, which differs from the planned one in what the models, steps and records do not depend on.
  std::vector<StepPlan> plan_steps(const RunConfig& config) const {
    const PlannedRun run{config,          dtype_,         student_,   teacher_ ? &*teacher_ : nullptr,
                         adapter_values_, program_bytes_, num_ranks_, done_ ? done_->ranks : 0};
    std::vector<StepPlan> plans;
    for (const auto step : steps_left(config, among_, done_)) {
      StepPlan plan;
      plan.step = step;
      plan.data = data_.at(step);
      const auto settings = settings_of(config, step);
      const double smaller = static_cast<double>(settings.data.batch_tokens) /
                             static_cast<double>(settings_of(config_, step).data.batch_tokens);
      if (smaller < 1) shrink(plan.data, smaller);
      plan.samples = plan.data.mean.samples * num_micro_batches(run, step);
      plan.iterations = settings.epochs > 0
                            ? std::max(1.0, std::ceil(settings.epochs * plan.data.epoch_records / plan.samples))
                            : static_cast<double>(settings.iterations);
      if (done_ && done_->step == step) plan.iterations = std::max(0.0, plan.iterations - done_->iterations);
      plan.memory = step_memory(run, step, plan.data, plan.iterations);
      plan.work = step_work(run, step, plan.data);
      plans.push_back(std::move(plan));
    }
    return plans;
  }

  /// What lowers the peak, tried one by one.
  std::vector<Advice> advise(double peak) const {
    std::vector<Advice> advice;
    const auto attempt = [&](const std::string& change, const auto& edit) {
      auto config = config_;
      edit(config);
      double lower = 0;
      for (const auto& step : plan_steps(config)) lower = std::max(lower, total_bytes(step.memory));
      if (lower < 0.98 * peak) advice.push_back({change, lower});
    };
    if (!config_.activation_checkpointing) {
      attempt("activation_checkpointing: true", [](RunConfig& config) { config.activation_checkpointing = true; });
    }
    if (teacher_ && config_.teacher.residency != Residency::kSharded && config_.device.value.is_cpu()) {
      attempt("teacher.quantize: int8", [](RunConfig& config) { config.teacher.quantize = Quantization::kInt8; });
    }
    if (teacher_ && config_.teacher.residency == Residency::kResident) {
      attempt("teacher.residency: streamed",
              [](RunConfig& config) { config.teacher.residency = Residency::kStreamed; });
      if (num_ranks_ > 1)
        attempt("teacher.residency: sharded", [](RunConfig& config) {
          config.teacher.residency = Residency::kSharded;
          config.teacher.quantize = Quantization::kNone;
        });
    }
    if (config_.interact.iterations > 0 && config_.teacher.cache.empty() && config_.interact.on_policy.share == 0 &&
        !teacher_rows_are_read(config_.interact)) {
      attempt("a teacher cache, which vlsi cache makes: teacher.cache",
              [](RunConfig& config) { config.teacher.cache = "cache"; });
    }
    if (adapter_values_ == 0) {
      attempt("adapters alone: student.lora.rank: 64, interact.train and finetune.train: [lora]",
              [](RunConfig& config) {
                if (config.student.lora.rank == 0) config.student.lora.rank = 64;
                config.interact.train = config.finetune.train = {"lora"};
              });
    }
    const auto fewer = every_other(config_.teacher.layers);
    if (!done_ && config_.teacher.verbalizers.empty() && config_.teacher.cache.empty() &&
        fewer.size() >= config_.student.layers.size()) {
      attempt(concat("fewer target layers: teacher.layers: ", OrderedJson(fewer).dump()),
              [&](RunConfig& config) { config.teacher.layers = fewer; });
    }
    attempt("half of every batch_tokens, twice the accumulate", [](RunConfig& config) {
      for (auto* data :
           {&config.verbalize.student_data, &config.verbalize.data, &config.interact.data, &config.finetune.data}) {
        data->batch_tokens = std::max<int64_t>(1, data->batch_tokens / 2);
      }
      for (auto* optimizer : {&config.verbalize.optimizer, &config.interact.optimizer, &config.finetune.optimizer})
        optimizer->accumulate *= 2;
    });
    std::sort(advice.begin(), advice.end(), [](const auto& a, const auto& b) { return a.peak_bytes < b.peak_bytes; });
    return advice;
  }

  MachineRates measure() const {
    constexpr double kSeconds = 0.3;
    const auto& text = student_.text();
    MachineRates rates;
    rates.model_flops_per_second =
        measure_products(dtype_, text.hidden_size, text.intermediate_size, kSeconds, config_.device);
    rates.float32_flops_per_second =
        dtype_ == at::kFloat
            ? rates.model_flops_per_second
            : measure_products(at::kFloat, text.hidden_size, text.intermediate_size, kSeconds, config_.device);
    if (!teacher_) return rates;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(config_.teacher.model)) {
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
    }
    rates.read_bytes_per_second = measure_reading(files, kSeconds);
    return rates;
  }

  /// What the whole run leaves in its folder, with one checkpoint more than it keeps while the next one is written.
  std::vector<MemoryPart> disk() const {
    const PlannedRun run{config_, dtype_, student_, teacher_ ? &*teacher_ : nullptr, adapter_values_, 0};
    const auto value_bytes = static_cast<double>(c10::elementSize(dtype_));
    double checkpoint = 0, verbalizers = 0, result = 0, pictures = 0;
    for (const auto step : planned_steps(config_, among_)) {
      if (!teacher_ && step == StepKind::kVerbalizeTeacher) continue;  // over
      const auto trained = trained_values(run, step);
      double tensors = 3 * sizeof(float) * trained.all();  // masters and two moments
      if (step == StepKind::kFinetune) {
        const auto carried = carried_values(run);
        tensors += value_bytes * carried.base + sizeof(float) * carried.adapters;
      }
      checkpoint = std::max(checkpoint, tensors);
      if (is_verbalization(step)) {
        verbalizers += sizeof(float) * trained.verbalizers;
      } else {
        result = student_.all.values * value_bytes + sizeof(float) * adapter_values(run);
      }
      const auto data = data_.find(step);
      if (config_.vision_cache.empty() || data == data_.end()) continue;
      const auto& shape = data->second;
      const auto features = [](const ModelSizes& model, const BatchShape& mean) {
        return mean.patches * static_cast<double>(model.model->tower().feature_width());
      };
      double values = step == StepKind::kVerbalizeTeacher ? 0 : features(student_, shape.mean);
      if (step_runs_teacher(run, step)) values += features(*teacher_, shape.teacher_mean);
      const double epoch_batches = shape.epoch_records / std::max(1.0, shape.mean.samples) * shape.distinct_pictures;
      pictures = std::max(pictures, epoch_batches * values * value_bytes);
    }
    return {{"checkpoints", checkpoint * num_checkpoints()},
            {"verbalizers", verbalizers},
            {"result", result},
            {"quantised teacher", quantised_teacher_on_disk()},
            {"vision cache", pictures}};
  }
  /// Of what a continued run has there and writes anew. A teacher cache in its folder, say, stays.
  int64_t own_disk_bytes() const {
    if (!done_) return 0;
    int64_t bytes = 0;
    for (const char* folder : {kCheckpointsFolder, "model", "adapter"}) bytes += bytes_in(config_.out / folder);
    for (const auto& step : step_table()) {
      if (!teacher_ && step.kind == StepKind::kVerbalizeTeacher) continue;  // over
      if (is_verbalization(step.kind)) bytes += bytes_in(config_.out / step.verbalizers_folder);
    }
    return bytes;
  }

 private:
  /// So many as are kept, or all where the steps write fewer; and one that is being written, or that an interrupt
  /// writes.
  double num_checkpoints() const {
    double written = 0;
    for (const auto step : planned_steps(config_, among_)) {
      const auto settings = settings_of(config_, step);
      written +=
          settings.epochs > 0
              ? std::numeric_limits<double>::infinity()
              : std::ceil(static_cast<double>(settings.iterations) / static_cast<double>(config_.checkpoint.every));
    }
    return std::min(static_cast<double>(config_.checkpoint.keep), written) + 1;
  }

  double program_bytes_now() const {
    if (!config_.device.value.is_cpu()) return given_program_bytes_.value_or(0);  // what is on it is not free already
    return given_program_bytes_.value_or(static_cast<double>(resident_memory()) + kProgramBytes);
  }

  /// Files of a streamed teacher in fewer bits, while a run works.
  double quantised_teacher_on_disk() const {
    const auto& teacher = config_.teacher;
    const bool has_files =
        teacher_ && teacher.residency == Residency::kStreamed && teacher.quantize != Quantization::kNone;
    return has_files ? teacher_->map_bytes(teacher.quantize) : 0;
  }

  static void shrink(DataShape& data, double factor) {
    for (auto* shape : {&data.largest, &data.mean, &data.teacher_largest, &data.teacher_mean}) {
      for (double* value : {&shape->samples, &shape->tokens, &shape->answers, &shape->patches}) *value *= factor;
    }
  }

  const RunConfig& config_;
  const std::vector<StepKind> among_;
  const int64_t num_ranks_;
  const std::optional<double> given_program_bytes_;
  const at::ScalarType dtype_;
  const std::optional<Done> done_;
  const std::vector<StepKind> steps_;
  ModelSizes student_;
  std::optional<ModelSizes> teacher_;
  double adapter_values_ = 0, program_bytes_ = 0;
  std::map<StepKind, DataShape> data_;
};

std::string bytes_text(double bytes) { return size_text(static_cast<int64_t>(bytes)); }

int64_t free_bytes(const RunConfig& config) {
  return free_disk_bytes(config.out, "planning a run in " + config.out.string());
}

double seconds_of(const StepWork& work, const MachineRates& rates) {
  const double products =
      work.model_flops / rates.model_flops_per_second + work.float32_flops / rates.float32_flops_per_second;
  const double reading = rates.read_bytes_per_second > 0 ? work.read_bytes / rates.read_bytes_per_second : 0;
  return std::max(kStepOverProducts * products, reading);  // the next layer is read while the present one works
}

/// The vision cache is left out: it may lie elsewhere, and be there already.
double folder_bytes(const std::vector<MemoryPart>& disk) {
  double sum = 0;
  for (const auto& part : disk) sum += part.name == "vision cache" ? 0 : part.bytes;
  return sum;
}

}  // namespace

double Plan::peak_bytes() const { return total_bytes(largest_step().memory); }

const StepPlan& Plan::largest_step() const {
  return *std::max_element(steps.begin(), steps.end(),
                           [](const auto& a, const auto& b) { return total_bytes(a.memory) < total_bytes(b.memory); });
}

bool Plan::fits_disk() const { return folder_bytes(disk) <= static_cast<double>(free_disk_bytes + own_disk_bytes); }

Room room_for(const RunConfig& config) { return {free_memory(config.device), free_bytes(config)}; }

Plan make_plan(const RunConfig& config, const PlanOptions& options) {
  Planner planner(config, options);
  if (!planner.has_steps()) fail(config.out.string(), ": there is no step to plan with these iterations and --only");
  check_given_verbalizers(config);
  planner.look_at_data();
  Plan plan;
  plan.available_bytes = free_memory(config.device);
  plan.steps = planner.plan_steps(config);
  plan.disk = planner.disk();
  plan.free_disk_bytes = free_bytes(config);
  plan.own_disk_bytes = planner.own_disk_bytes();
  plan.advice = planner.advise(plan.peak_bytes());
  if (!options.measures) return plan;
  plan.rates = planner.measure();
  for (auto& step : plan.steps) step.seconds = seconds_of(step.work, *plan.rates);
  return plan;
}

void check_fits(const RunConfig& config, const PlanOptions& options, const Room& room) {
  Planner planner(config, options);
  if (!planner.has_steps()) return;
  Plan plan;
  plan.available_bytes = room.memory_bytes;
  plan.free_disk_bytes = room.disk_bytes;
  plan.own_disk_bytes = planner.own_disk_bytes();
  plan.disk = planner.disk();
  const std::string action = "starting the run " + config.out.string(),
                    end = "; vlsi plan shows the parts, --force starts it all the same";
  planner.assume_largest();
  plan.steps = planner.plan_steps(config);
  if (!plan.fits()) {
    planner.look_at_data();
    plan.steps = planner.plan_steps(config);
  }
  if (!plan.fits()) {
    std::string remedies;
    for (const auto& advice : planner.advise(plan.peak_bytes()))
      remedies += concat("; ", bytes_text(advice.peak_bytes), " with ", advice.change);
    fail(action, ": its step ", name_of(plan.largest_step().step), " needs about ", bytes_text(plan.peak_bytes()),
         " of memory, ", size_text(*plan.available_bytes), " are available", remedies, end);
  }
  if (!plan.fits_disk()) {
    fail(action, ": its folder needs about ", bytes_text(folder_bytes(plan.disk)), " of disk, ",
         size_text(plan.free_disk_bytes), " are free there",
         plan.own_disk_bytes > 0 ? concat(" and ", size_text(plan.own_disk_bytes), " its own") : "",
         "; make room, choose another `out`, or a smaller checkpoint.keep", end);
  }
}

}  // namespace vlsi
