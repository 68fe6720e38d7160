// vlsi distill and vlsi finetune: runs described by a YAML file.
#include "run/distill.h"

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/run_options.h"
#include "plan/plan.h"
#include "ranks/process_ranks.h"

namespace vlsi {
namespace {

struct DistillCommandOptions {
  RunOptions run;
  std::vector<StepKind> among = steps_by_choice();
  bool resume = false, data_may_differ = false, force = false;
};

RunConfig read_config(const DistillCommandOptions& options, bool finetune_alone) {
  auto config = load_run_config(options.run.file, options.run.overrides);
  if (finetune_alone) config.verbalize.iterations = config.interact.iterations = 0;
  check(config, options.run.file.string());
  check_device(config.device, options.run.file.string() + ": key 'device'");
  return config;
}

int run(const DistillCommandOptions& options, bool finetune_alone) {
  const auto config = read_config(options, finetune_alone);
  use_threads(config.threads);
  catch_interrupts();
  return run_as_rank(config.device, [&](const Ranks& ranks) {
    if (ranks.is_first() && !options.force) {
      check_fits(config, {options.among, /*measures=*/false, options.resume, ranks.size()}, room_for(config));
    }
    const auto outcome = distill(config, {options.among, options.resume, options.data_may_differ}, ranks);
    return outcome == Outcome::kFinished ? 0 : 1;
  });
}

std::shared_ptr<DistillCommandOptions> add_options(CLI::App& command) {
  auto options = std::make_shared<DistillCommandOptions>();
  add_run_options(command, options->run);
  command.add_flag("--resume", options->resume, "continue the run in its folder from the newest checkpoint");
  command.add_flag("--data-may-differ", options->data_may_differ,
                   "with --resume: go on though the data files are not as they were at the checkpoint");
  command.add_flag("--force", options->force, "start also where the plan says that memory or disk will not be enough");
  return options;
}

}  // namespace

Action add_distill(CLI::App& command) {
  auto options = add_options(command);
  add_only_option(command, options->among);
  return [options] { return run(*options, /*finetune_alone=*/false); };
}

Action add_finetune(CLI::App& command) {
  auto options = add_options(command);
  return [options] { return run(*options, /*finetune_alone=*/true); };
}

}  // namespace vlsi
