// The command line as data, read from what the commands declare: for the manual page and the shells.
#pragma once

#include <string>
#include <vector>

namespace vlsi {

struct DescribedOption {
  std::vector<std::string> names;  // "-h", "--help"; of an argument by place, its one name
  std::string value;               // what follows it, as "TEXT=cpu"; empty for a flag
  std::string meaning;
  bool is_repeated = false;
};

struct DescribedCommand {
  std::string name, meaning, examples;
  std::string more;  // what its help has between the options and the examples
  std::vector<DescribedOption> options, arguments;
};

struct DescribedProgram {
  std::string meaning;
  std::vector<DescribedOption> options;  // without a command
  std::vector<DescribedCommand> commands;
};

DescribedProgram describe_program();

/// `text` with every `from` in it replaced.
std::string with_all(std::string text, const std::string& from, const std::string& to);

}  // namespace vlsi
