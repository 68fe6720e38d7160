// The program's process; the only place that exits, but for base/loaded_torch.h before anything runs.
#include <cstdio>
#include <cstdlib>

#include "base/loaded_torch.h"
#include "cli/run_program.h"

namespace {

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

int main(int argc, char** argv) { return leave(vlsi::run_program(argc, argv)); }
