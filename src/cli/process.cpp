#include "cli/process.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdlib>

namespace vlsi {

void prepare_process(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") == nullptr && std::getenv("GOMP_SPINCOUNT") == nullptr) {
    // A short spin bridges neighbouring parallel regions; waiting longer is left to the kernel.
    ::setenv("GOMP_SPINCOUNT", "1000", 1);
    ::execv("/proc/self/exe", argv);  // comes back only where it is not allowed, and then nothing is lost
  }
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace vlsi
