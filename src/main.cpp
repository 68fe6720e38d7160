// argv to command; the only place that exits.
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/loaded_torch.h"
#include "cli/commands.h"
#include "cli/process.h"

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

/// Ends the program without the destructors of LibTorch's tables of operations, which take a tenth of a second.
int leave(int status) {
#ifndef __SANITIZE_ADDRESS__  // leaks are looked for behind main()
  std::fflush(nullptr);
  std::quick_exit(status);
#endif
  return status;
}

/// What the dynamic linker calls first, before the libraries' constructors.
[[gnu::section(".preinit_array"), gnu::used]] void (*const kCalledFirst)() = &vlsi::require_own_torch;

}  // namespace

int main(int argc, char** argv) {
  using namespace vlsi;
  keep_freed_memory();
  Action action;
  const auto program = make_program(action);
  try {
    program->parse(argc, argv);
    const int status = action();
    if (!std::cout.flush()) fail("writing to standard output failed");
    return leave(status);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program->exit(error);
    std::cerr << "vlsi: " << describe(error, *program) << "\n";
    return 2;
  } catch (const Error& error) {
    std::cerr << "vlsi: " << error.what() << "\n";
    return 2;
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    std::cerr << "vlsi: the run failed: " << text.substr(0, text.find('\n')) << "\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "vlsi: the run failed: " << error.what() << "\n";
    return 1;
  }
}
