// MKL's question about the processor is answered by the program.
#include "base/mkl_instructions.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

namespace {

TEST(MklInstructions, TheProgramAnswersInPlaceOfTheLibrary) {
  // What the dynamic linker gives a library that asks: without the export it would be the copy inside LibTorch, or
  // nothing.
  void* answer = dlsym(RTLD_DEFAULT, "mkl_serv_intel_cpu_true");
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer, reinterpret_cast<void*>(&mkl_serv_intel_cpu_true));
  EXPECT_EQ(mkl_serv_intel_cpu_true(), 1);
}

}  // namespace
