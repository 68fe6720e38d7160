// vlsi completion: what bash, zsh and fish read to complete commands and options; values are completed as files.
#include <iostream>

#include "base/table.h"
#include "cli/commands.h"
#include "cli/manual/described.h"

namespace vlsi {
namespace {

std::string joined(const DescribedProgram& program) {
  std::string names;
  for (const auto& command : program.commands) names += command.name + " ";
  return names;
}

std::string joined(const std::vector<DescribedOption>& options) {
  std::string names;
  for (const auto& option : options) {
    for (const auto& name : option.names) names += (names.empty() ? "" : " ") + name;
  }
  return names;
}

/// In single quotes, for any of the shells.
std::string quoted(const std::string& text) { return "'" + with_all(text, "'", "'\\''") + "'"; }

/// The beginning of a long meaning, on one line.
std::string short_meaning(const std::string& meaning) {
  constexpr size_t kLongest = 72;
  const auto line = with_all(meaning, "\n", " ");
  return line.size() <= kLongest ? line : line.substr(0, line.rfind(' ', kLongest)) + " ...";
}

void print_bash(const DescribedProgram& program) {
  std::cout << R"(# bash completion for vlsi
_vlsi() {
  local word=${COMP_WORDS[COMP_CWORD]} command= words i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [[ ${COMP_WORDS[i]} != -* ]]; then command=${COMP_WORDS[i]}; break; fi
  done
  case $command in
    '') words=')"
            << joined(program) << joined(program.options) << "' ;;\n";
  for (const auto& command : program.commands)
    std::cout << "    " << command.name << ") words='" << joined(command.options) << "' ;;\n";
  std::cout << R"(    *) words= ;;
  esac
  COMPREPLY=()
  if [[ -z $command || $word == -* ]]; then mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"); fi
}
complete -o bashdefault -o default -F _vlsi vlsi
)";
}

/// As _arguments has it: "--name[meaning]:value:_files".
std::string zsh_option(const std::string& name, const DescribedOption& option) {
  const auto escaped = [](std::string text) {
    for (const char* special : {"\\", "[", "]", ":"}) text = with_all(text, special, std::string("\\") + special);
    return text;
  };
  const auto value = option.value.empty() ? "" : ":" + escaped(option.value) + ":_files";
  return quoted((option.is_repeated ? "*" : "") + name + "[" + escaped(short_meaning(option.meaning)) + "]" + value);
}

void print_zsh_options(const std::vector<DescribedOption>& options) {
  for (const auto& option : options) {
    for (const auto& name : option.names) std::cout << " \\\n        " << zsh_option(name, option);
  }
}

void print_zsh(const DescribedProgram& program) {
  std::cout << "#compdef vlsi\n_vlsi() {\n  local curcontext=$curcontext state line\n  local -a commands=(\n";
  for (const auto& command : program.commands)
    std::cout << "    " << quoted(command.name + ":" + with_all(command.meaning, ":", "\\:")) << "\n";
  std::cout << "  )\n  _arguments -C";
  print_zsh_options(program.options);
  std::cout << " \\\n        '1:command:->command' '*::argument:->argument'\n  case $state in\n"
            << "    command) _describe command commands ;;\n    argument)\n      case $words[1] in\n";
  for (const auto& command : program.commands) {
    std::cout << "      " << command.name << ") _arguments";
    print_zsh_options(command.options);
    std::cout << " \\\n        '*: :_files' ;;\n";
  }
  std::cout << "      esac ;;\n  esac\n}\n"
            << "if [[ $funcstack[1] == _vlsi ]]; then _vlsi \"$@\"; else compdef _vlsi vlsi; fi\n";
}

void print_fish_options(const std::vector<DescribedOption>& options, const std::string& where) {
  for (const auto& option : options) {
    std::cout << "complete -c vlsi -n " << quoted(where);
    for (const auto& name : option.names)
      std::cout << (name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1));
    std::cout << (option.value.empty() ? "" : " -r") << " -d "
              << quoted(with_all(short_meaning(option.meaning), "\\", "\\\\")) << "\n";
  }
}

void print_fish(const DescribedProgram& program) {
  std::cout << "# fish completion for vlsi\n";
  print_fish_options(program.options, "__fish_use_subcommand");
  for (const auto& command : program.commands) {
    std::cout << "complete -c vlsi -n __fish_use_subcommand -f -a " << command.name << " -d " << quoted(command.meaning)
              << "\n";
    print_fish_options(command.options, "__fish_seen_subcommand_from " + command.name);
  }
}

struct Shell {
  std::string name;
  void (*print)(const DescribedProgram&);
};

Table<Shell>& shells() {
  static Table<Shell> table{{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
  return table;
}

int print_completion(const std::string& name) {
  const auto* shell = shells().find(name);
  if (shell == nullptr) fail("completion is for '", name, "', expected one of ", shells().names());
  shell->print(describe_program());
  return 0;
}

}  // namespace

Action add_completion(CLI::App& command) {
  auto shell = std::make_shared<std::string>();
  command.add_option("shell", *shell, shells().names(" | "))->required();
  command.footer([] {
    return std::string(
        "Where shells look for it:\n"
        "  bash  ~/.local/share/bash-completion/completions/vlsi\n"
        "  zsh   a file _vlsi in a folder of $fpath\n"
        "  fish  ~/.config/fish/completions/vlsi.fish\n");
  });
  return [shell] { return print_completion(*shell); };
}

}  // namespace vlsi
