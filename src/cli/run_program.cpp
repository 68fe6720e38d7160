#include "cli/run_program.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/quoted.h"
#include "base/settings.h"
#include "cli/commands.h"
#include "cli/process.h"

namespace vlsi {
namespace {

/// Whether a word stands where a command is expected, and is none.
bool names_no_command(const CLI::App& program) {
  const auto unknown = program.remaining();
  return program.get_subcommands().empty() && !unknown.empty() && !unknown[0].starts_with('-');
}

std::string unknown_command(const std::string& word) {
  std::vector<std::string> names;
  for (const auto& command : commands()) names.push_back(command.name);
  return concat("'", word, "' is no command; did you mean '", nearest(word, names), "'? vlsi --help lists them");
}

std::string unknown_option(const std::string& word, const CLI::App& program) {
  const auto chosen = program.get_subcommands();
  std::vector<std::string> names;
  const auto add = [&](const CLI::App& app) {
    for (const auto* option : app.get_options({})) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
  };
  if (!chosen.empty()) add(*chosen[0]);
  add(program);
  const auto command = chosen.empty() ? "vlsi" : "vlsi " + chosen[0]->get_name();
  return concat("'", word, "' is no option of ", command, "; did you mean '", nearest(word, names), "'? ", command,
                " --help lists them");
}

/// What is wrong with the command line, in one line. Options of commands fall through to the program, and so does what
/// is none: it comes first, as a required option that is missing may be meant by it.
std::string describe(const CLI::ParseError& error, const CLI::App& program) {
  const auto unknown = program.remaining();
  if (names_no_command(program)) return unknown_command(unknown[0]);
  for (const auto& word : unknown) {
    if (word.starts_with('-')) return unknown_option(word.substr(0, word.find('=')), program);
  }
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    text = "found";
    for (const auto& word : unknown) text += concat(" '", word, "'");
    text += ", which nothing takes";
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text + "; vlsi --help and vlsi COMMAND --help say what there is";
}

}  // namespace

int run_program(int argc, char** argv) {
  keep_freed_memory();
  Action action;
  const auto program = make_program(action);
  try {
    program->parse(argc, argv);
    const int status = action();
    if (!std::cout.flush()) fail("writing to standard output failed");
    return status;
  } catch (const CLI::ParseError& error) {
    const bool asks_for_help = error.get_exit_code() == 0;
    if (asks_for_help && !names_no_command(*program)) return program->exit(error);
    std::cerr << "vlsi: " << printable(describe(error, *program)) << "\n";
    return 2;
  } catch (const Error& error) {
    std::cerr << "vlsi: " << printable(error.what()) << "\n";
    return 2;
  } catch (const std::filesystem::filesystem_error& error) {
    std::cerr << "vlsi: " << printable(error) << "\n";
    return 2;
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    std::cerr << "vlsi: the run failed: " << text.substr(0, text.find('\n')) << "\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "vlsi: the run failed: " << printable(error.what()) << "\n";
    return 1;
  }
}

}  // namespace vlsi
