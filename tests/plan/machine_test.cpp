// Measured rates: that there are some, and what is refused. Their size is the machine's own affair.
#include "plan/machine.h"

#include "base/error.h"
#include "tests/data/data_files.h"

namespace vlsi {
namespace {

TEST(Machine, MeasuresProductsOfBothDtypes) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) EXPECT_GT(measure_products(dtype, 64, 256, /*seconds=*/0), 0);
}

TEST(Machine, MeasuresReading) {
  const Folder folder;
  EXPECT_GT(
      measure_reading({folder.write("a", std::string(1 << 20, 'x')), folder.write("b", "short")}, /*seconds=*/0.1), 0);
  EXPECT_EQ(measure_reading({}, 0.1), 0);
}

TEST(Machine, NamesAFileThatCannotBeRead) {
  const Folder folder;
  std::filesystem::create_directory(folder.path() / "folder.safetensors");
  EXPECT_ERROR(measure_reading({folder.path() / "folder.safetensors"}, 0.1), "folder.safetensors failed");
  EXPECT_ERROR(measure_reading({folder.path() / "absent"}, 0.1), "absent failed");
}

}  // namespace
}  // namespace vlsi
