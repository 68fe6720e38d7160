#include "run/planned_steps.h"

#include "run/run_cache.h"

namespace vlsi {

std::vector<std::string> planned_steps(const RunConfig& config, Only only) {
  const auto wants = [&](Only step, int64_t iterations) {
    return iterations > 0 && (only == Only::kAll || only == step);
  };
  std::vector<std::string> steps;
  if (wants(Only::kVerbalize, config.verbalize.iterations)) {
    if (config.student.verbalizers.empty() || config.verbalize.initial) steps.push_back("verbalize-student");
    // With a cache that is there, nothing is left for the teacher's verbalizers to do.
    const bool wanted = config.teacher.verbalizers.empty() || config.verbalize.initial;
    if (wanted && !has_cache(config)) steps.push_back("verbalize-teacher");
  }
  if (wants(Only::kInteract, config.interact.iterations)) steps.push_back("interact");
  if (wants(Only::kFinetune, config.finetune.iterations)) steps.push_back("finetune");
  return steps;
}

}  // namespace vlsi
