// The program's commands: each adds itself to the command line and sets what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace vlsi {

/// What the chosen command does; its result is the exit status (0 done, 1 the run failed).
using Action = std::function<int()>;

void add_init(CLI::App& program, Action& action);
void add_finetune(CLI::App& program, Action& action);
void add_distill(CLI::App& program, Action& action);
void add_plan(CLI::App& program, Action& action);
void add_cache(CLI::App& program, Action& action);
void add_score(CLI::App& program, Action& action);
void add_generate(CLI::App& program, Action& action);
void add_answer(CLI::App& program, Action& action);
void add_evaluate(CLI::App& program, Action& action);
void add_export(CLI::App& program, Action& action);
void add_inspect(CLI::App& program, Action& action);
void add_lens(CLI::App& program, Action& action);
void add_report(CLI::App& program, Action& action);

}  // namespace vlsi
