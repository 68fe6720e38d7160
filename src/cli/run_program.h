// From the command line to the exit status.
#pragma once

namespace vlsi {

/// Runs the command that the command line names, and gives the exit status: 0 done, 1 the run failed, 2 wrong input or
/// usage. Errors are told on stderr in one line; none is thrown.
int run_program(int argc, char** argv);

}  // namespace vlsi
