#include "cli/judge_options.h"

#include <chrono>
#include <cstdlib>

#include "base/error.h"
#include "cli/options.h"

namespace vlsi {
namespace {

std::chrono::milliseconds milliseconds_of(double seconds, const char* option) {
  constexpr double kDay = 86'400;
  if (!(seconds > 0 && seconds <= kDay)) fail(option, " is ", seconds, ", expected above 0 and at most ", kDay);
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * seconds));
}

void refuse_without_address(const JudgeOptions& options) {
  if (!options.model.empty()) fail("--judge-model names a judge, and there is no --judge-url");
  const JudgeOptions usual;
  const auto refuse = [](bool given, const char* name) {
    if (given) fail(name, " is for a judge, and there is no --judge-url");
  };
  refuse(!options.prompts.empty(), "--judge-prompts");
  refuse(!options.cache.empty(), "--judge-cache");
  refuse(options.key_variable != usual.key_variable, "--judge-key-variable");
  refuse(options.workers != usual.workers, "--judge-workers");
  refuse(options.tries != usual.tries, "--judge-tries");
  refuse(options.wait_seconds != usual.wait_seconds, "--judge-wait");
  refuse(options.timeout_seconds != usual.timeout_seconds, "--judge-timeout");
}

}  // namespace

void add_judge_options(CLI::App& command, JudgeOptions& options) {
  command.add_option(
      "--judge-url", options.url,
      "a model behind OpenAI's interface, https://HOST/v1, that scores open answers and reads out others");
  command.add_option("--judge-model", options.model, "its name there");
  command
      .add_option("--judge-key-variable", options.key_variable,
                  "the environment variable that has its key; none is sent where it is not set")
      ->capture_default_str();
  command.add_option("--judge-prompts", options.prompts,
                     "a file with its prompt, or a folder of them (docs/evaluation.md, A judge)");
  command.add_option("--judge-workers", options.workers, "requests to it at once")
      ->capture_default_str()
      ->check(whole_number_from(1));
  command.add_option("--judge-tries", options.tries, "of a request that fails; then its question is not judged")
      ->capture_default_str()
      ->check(whole_number_from(1));
  command
      .add_option("--judge-wait", options.wait_seconds, "seconds before the second try; each later one is twice that")
      ->capture_default_str();
  command.add_option("--judge-timeout", options.timeout_seconds, "seconds of a try")->capture_default_str();
  command.add_option("--judge-cache", options.cache, "folder of its replies [judge in --out]");
}

std::shared_ptr<const Judge> make_judge(const JudgeOptions& options, const std::filesystem::path& cache) {
  if (options.url.empty()) {
    refuse_without_address(options);
    return nullptr;
  }
  if (options.model.empty()) fail("--judge-model is missing: --judge-url has models by their names");
  if (options.prompts.empty()) fail("--judge-prompts is missing: it says what the judge is asked");
  constexpr int64_t kMostWorkers = 1024;
  if (options.workers > kMostWorkers) fail("--judge-workers is ", options.workers, ", expected at most ", kMostWorkers);
  JudgeConfig config;
  config.endpoint.url = options.url;
  const char* key = std::getenv(options.key_variable.c_str());
  if (key != nullptr) config.endpoint.key = key;
  config.endpoint.timeout = milliseconds_of(options.timeout_seconds, "--judge-timeout");
  config.endpoint.first_wait = milliseconds_of(options.wait_seconds, "--judge-wait");
  config.endpoint.num_tries = options.tries;
  config.model = options.model;
  config.prompts = JudgePrompts(options.prompts);
  config.cache = options.cache.empty() ? cache : options.cache;
  config.num_workers = options.workers;
  return std::make_shared<const Judge>(std::move(config));
}

}  // namespace vlsi
