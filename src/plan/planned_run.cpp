#include "plan/planned_run.h"

#include <cmath>

namespace vlsi {

const std::vector<std::string>& learning_parts(const RunConfig& config, const std::string& step) {
  static const std::vector<std::string> none;
  if (step == "interact") return config.interact.train;
  return step == "finetune" ? config.finetune.train : none;
}

const OptimizerConfig& optimizer_of(const RunConfig& config, const std::string& step) {
  if (step == "interact") return config.interact.optimizer;
  return step == "finetune" ? config.finetune.optimizer : config.verbalize.optimizer;
}

double num_micro_batches(const PlannedRun& run, const std::string& step) {
  const double ranks = run.ranks_at_start > 0 ? run.ranks_at_start : static_cast<double>(run.num_ranks);
  return ranks * static_cast<double>(optimizer_of(run.config, step).accumulate);
}

double micro_batches_of_a_rank(const PlannedRun& run, const std::string& step) {
  return std::ceil(num_micro_batches(run, step) / static_cast<double>(run.num_ranks));
}

double adapter_values(const PlannedRun& run) {
  const auto& lora = run.config.student.lora;
  return run.given_adapter_values + run.student.lora_values(lora.rank, lora.targets);
}

double verbalizer_values(const PlannedRun& run, const ModelSizes& model) {
  auto network = run.config.verbalize.network;
  if (!run.config.interact.head && &model == &run.student && run.teacher != nullptr)
    network.output_width = run.teacher->text().hidden_size;
  return static_cast<double>(num_parameters(network, model.text()));
}

TrainedValues trained_values(const PlannedRun& run, const std::string& step) {
  const auto& config = run.config;
  TrainedValues trained;
  if (step == "verbalize-student") {
    trained.verbalizers = verbalizer_values(run, run.student) * static_cast<double>(config.student.layers.size());
  } else if (step == "verbalize-teacher") {
    trained.verbalizers = verbalizer_values(run, *run.teacher) * static_cast<double>(config.teacher.layers.size());
  } else {
    for (const auto& part : learning_parts(config, step)) {
      if (part == "lora") {
        trained.adapters = adapter_values(run);
      } else {
        trained.base += run.student.part(part).values;
      }
    }
    if (step == "interact" && !config.interact.head) {
      trained.verbalizers = verbalizer_values(run, run.student) * static_cast<double>(config.student.layers.size());
    }
  }
  return trained;
}

bool wants_teacher(const RunConfig& config, const std::string& step) {
  return step == "verbalize-teacher" || (step == "interact" && config.teacher.cache.empty());
}

bool step_runs_teacher(const PlannedRun& run, const std::string& step) {
  return run.teacher != nullptr && wants_teacher(run.config, step);
}

}  // namespace vlsi
