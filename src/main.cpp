// argv to command; the only place that exits.
#include <exception>
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/process.h"

int main(int argc, char** argv) {
  using namespace vlsi;
  prepare_process(argv);
  CLI::App program("Distil a large vision-language model into a small one by Verbalized Layers-to-Interactions.", "vlsi");
  program.require_subcommand(1);
  program.fallthrough();
  Action action;
  for (const auto& add : {add_init, add_finetune, add_distill, add_score, add_generate, add_answer, add_evaluate, add_inspect}) {
    add(program, action);
  }
  try {
    program.parse(argc, argv);
    return action();
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  } catch (const Error& error) {
    std::cerr << "vlsi: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "vlsi: the run failed: " << error.what() << "\n";
    return 1;
  }
}
