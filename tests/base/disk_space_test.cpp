// Free room, and what a folder takes.
#include "base/disk_space.h"

#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

TEST(DiskSpace, IsThatOfTheNearestFolderThatIsThere) {
  const fs::path there = testing::TempDir();
  const auto free = free_disk_bytes(there / "not/yet/there", "testing");
  EXPECT_GT(free, 0);
  // Other processes write meanwhile: of the same disk, not the same number.
  EXPECT_LT(std::abs(free - free_disk_bytes(there, "testing")), int64_t{10} << 30);
}

TEST(DiskSpace, OfAFolderCountsEveryFileBelowIt) {
  const Folder folder({{"one", "12345"}, {"a/b/two", "123"}});
  fs::create_symlink(folder / "nowhere", folder / "a/link");
  EXPECT_EQ(bytes_in(folder.path()), 8);
  EXPECT_EQ(bytes_in(folder / "absent"), 0);
}

}  // namespace
}  // namespace vlsi
