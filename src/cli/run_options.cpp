#include "cli/run_options.h"

#include "cli/options.h"

namespace vlsi {

void add_run_options(CLI::App& command, RunOptions& options) {
  command.add_option("run", options.file, "the run's YAML file")->required();
  command.add_option("--set", options.overrides, "key=value over the file, as --set optimizer.learning_rate=1e-3");
  for (const char* key : {"device", "dtype", "threads", "seed"}) {
    command.add_option_function<std::string>(
        std::string("--") + key,
        [&options, key](const std::string& value) { options.overrides.push_back(concat(key, '=', value)); },
        concat("the same as --set ", key, "=..."));
  }
  command.footer([] {
    return "Keys of the run's file, with their defaults:\n\n" + write_settings(RunConfig{}, /*with_comments=*/true);
  });
}

void add_only_option(CLI::App& command, std::vector<StepKind>& among) {
  const auto choices = choices_of_steps();
  command
      .add_option_function<std::string>(
          "--only", [&among](const std::string& choice) { among = steps_by_choice(choice); },
          CLI::detail::join(choices, " | "))
      ->default_str(choices.front())
      ->check(CLI::IsMember(choices));
}

}  // namespace vlsi
