// Types of numbers and devices by name.
#include "base/dtype.h"

#include <gtest/gtest.h>

#include "base/device_name.h"
#include "base/words.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

TEST(Dtype, IsReadByTheNameThatItHas) {
  for (const char* name : {"float32", "bfloat16"}) {
    EXPECT_EQ(parse_or_fail<Dtype>(name, "dtype").text(), name);
    EXPECT_EQ(parse_or_fail<StoredDtype>(name, "dtype").text(), name);
  }
  EXPECT_EQ(parse_or_fail<StoredDtype>("float16", "dtype"), at::kHalf);
  expect_error([&] { parse_or_fail<Dtype>("float16", "--dtype"); },
               {"--dtype is 'float16', expected float32 or bfloat16"});
  expect_error([&] { parse_or_fail<StoredDtype>("int8", "--dtype"); }, {"expected float32, bfloat16 or float16"});
}

TEST(DeviceName, IsTheCpuOrAGpu) {
  for (const char* name : {"cpu", "cuda", "cuda:1"}) EXPECT_EQ(parse_or_fail<DeviceName>(name, "device").text(), name);
  for (const char* name : {"cpu:1", "cpu:0", "meta", "abacus", "cuda:x", ""}) {
    expect_error([&] { parse_or_fail<DeviceName>(name, "device"); }, {"expected cpu, cuda or cuda:N"});
  }
}

}  // namespace
}  // namespace vlsi
