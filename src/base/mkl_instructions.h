// Which instructions MKL, the library of LibTorch's matrix products, may use on x86-64.
#pragma once

/// MKL's question whether Intel made the processor: always yes here, so that MKL goes by the abilities that the
/// processor reports, whoever made it (on one that has AVX-512 and is not Intel's, a float32 product takes less than
/// half the time). The linker exports it from every program (CMakeLists.txt). Without MKL nobody asks.
/// MKL_ENABLE_INSTRUCTIONS, MKL's own environment variable, still sets an upper limit.
extern "C" __attribute__((visibility("default"))) int mkl_serv_intel_cpu_true();
