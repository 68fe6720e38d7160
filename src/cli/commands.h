// The program's commands: one table, from which the command line and its help come.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/table.h"

namespace vlsi {

/// What the chosen command does; its result is the exit status (0 done, 1 the run failed or was stopped, 2 bad input).
using Action = std::function<int()>;

struct Command {
  std::string name, meaning;
  std::string examples;              // command lines, each on a line, that work one after the other
  Action (*add)(CLI::App& command);  // gives the command its options; the result works with what was parsed into them
};

Table<Command>& commands();

/// The end of a command's help, behind what else the command says there by a callback.
std::string examples_text(const Command& command);

/// The whole command line; when it has been parsed, `action` is the chosen command's.
std::unique_ptr<CLI::App> make_program(Action& action);

}  // namespace vlsi
