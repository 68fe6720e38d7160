// vlsi plan: memory, disk and time of a run, before anything is loaded.
#include "plan/plan.h"

#include <iostream>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/run_options.h"

namespace vlsi {
namespace {

struct PlanCommandOptions {
  RunOptions run;
  std::vector<StepKind> among = steps_by_choice();
  bool resume = false, json = false;
  int64_t num_ranks = 1;
};

int run(const PlanCommandOptions& options) {
  auto config = load_run_config(options.run.file, options.run.overrides);
  if (config.teacher.model.empty() && config.teacher.cache.empty()) {
    log_info("no teacher is named: the plan is that of vlsi finetune");
    config.verbalize.iterations = config.interact.iterations = 0;
  }
  check(config, options.run.file.string());
  check_device(config.device, options.run.file.string() + ": key 'device'");
  use_threads(config.threads);
  const auto plan = make_plan(config, {options.among, /*measures=*/true, options.resume, options.num_ranks});
  if (options.json) {
    std::cout << to_json(plan).dump(2) << "\n";
  } else {
    std::cout << to_text(plan);
  }
  return 0;
}

}  // namespace

Action add_plan(CLI::App& command) {
  auto options = std::make_shared<PlanCommandOptions>();
  add_run_options(command, options->run);
  add_only_option(command, options->among);
  command.add_flag("--resume", options->resume, "what is left of the run in its folder, from its newest checkpoint on");
  command
      .add_option("--ranks", options->num_ranks,
                  "processes that will train together: memory, work and time are one's, on a machine of its own")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command.add_flag("--json", options->json, "as JSON, in bytes and seconds");
  return [options] { return run(*options); };
}

}  // namespace vlsi
