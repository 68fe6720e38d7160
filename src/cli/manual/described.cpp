#include "cli/manual/described.h"

#include "cli/commands.h"

namespace vlsi {
namespace {

DescribedOption describe(const CLI::Option& option) {
  DescribedOption described;
  for (const auto& name : option.get_snames()) described.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) described.names.push_back("--" + name);
  if (described.names.empty()) described.names.push_back(option.get_name(/*positional=*/true));
  if (option.get_type_size() != 0) {
    described.value = option.get_type_name();
    if (const auto text = option.get_default_str(); !text.empty()) described.value += "=" + text;
  }
  described.is_repeated = option.get_expected_max() == CLI::detail::expected_max_vector_size;
  described.meaning = option.get_description();
  if (option.get_required() && !option.get_positional()) described.meaning += " (required)";
  return described;
}

std::vector<DescribedOption> describe_options(const CLI::App& app, bool by_place) {
  std::vector<DescribedOption> options;
  for (const auto* option : app.get_options()) {
    if (option->get_positional() == by_place) options.push_back(describe(*option));
  }
  return options;
}

}  // namespace

DescribedProgram describe_program() {
  Action action;
  const auto program = make_program(action);
  DescribedProgram described{program->get_description(), describe_options(*program, false), {}};
  for (const auto& entry : commands()) {
    const auto& command = *program->get_subcommand(entry.name);
    auto more = command.get_footer();
    more.erase(more.rfind(examples_text(entry)));
    described.commands.push_back({entry.name, entry.meaning, entry.examples, more, describe_options(command, false),
                                  describe_options(command, true)});
  }
  return described;
}

std::string with_all(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
  return text;
}

}  // namespace vlsi
