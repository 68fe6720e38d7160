#include "cli/run_program.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/quoted.h"
#include "cli/commands.h"
#include "cli/process.h"

namespace vlsi {
namespace {

/// What is wrong with the command line, in one line.
std::string describe(const CLI::ParseError& error, const CLI::App& program) {
  const auto unknown = program.remaining();
  std::string text = program.get_subcommands().empty() && !unknown.empty() && unknown[0][0] != '-'
                         ? "'" + unknown[0] + "' is no command"
                         : error.what();
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
    if (error.get_exit_code() == 0) return program->exit(error);
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
