// vlsi cache: the teacher's part of step 2, once, to disk.
#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/run_options.h"
#include "run/make_cache.h"

namespace vlsi {
namespace {

struct CacheOptions {
  RunOptions run;
  MakeCacheOptions cache;
};

int run(CacheOptions options) {
  // The steps before and after play no part.
  auto config = load_run_config(options.run.file, options.run.overrides);
  config.finetune.iterations = 0;
  if (config.interact.iterations == 0) config.interact.iterations = 1;
  auto& out = options.cache.out;
  if (out.empty()) out = config.teacher.cache.empty() ? config.out / "teacher-cache" : config.teacher.cache;
  config.teacher.cache = out;  // so that the losses are checked, too
  check(config, options.run.file.string());
  check_device(config.device, options.run.file.string() + ": key 'device'");
  use_threads(config.threads);
  catch_interrupts();
  return make_teacher_cache(config, options.cache) == Outcome::kFinished ? 0 : 1;
}

}  // namespace

Action add_cache(CLI::App& command) {
  auto options = std::make_shared<CacheOptions>();
  add_run_options(command, options->run);
  command.add_option("--out", options->cache.out,
                     "the cache's folder [teacher.cache, else teacher-cache in the run's folder]");
  command
      .add_option("--shard-bytes", options->cache.shard_bytes,
                  "size of a file of the cache; what an interrupt loses at most")
      ->capture_default_str()
      ->check(whole_number_from(1));
  return [options] { return run(*options); };
}

}  // namespace vlsi
