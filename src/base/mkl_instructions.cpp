// Which instructions MKL, the library of LibTorch's matrix products, may use on x86-64.
#include "base/mkl_instructions.h"

// MKL chooses its kernels by what the processor can do only after this function has said that Intel made it; for others
// it keeps kernels of older instructions. The program's definition stands before the library's own, so that abilities
// alone decide.
extern "C" int mkl_serv_intel_cpu_true() { return 1; }
