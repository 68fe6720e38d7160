// Free room, and what a folder takes.
#include "base/disk_space.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"

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
  const auto folder = fs::path(testing::TempDir()) / concat("vlsi_disk_space_", ::getpid());
  fs::create_directories(folder / "a/b");
  std::ofstream(folder / "one") << "12345";
  std::ofstream(folder / "a/b/two") << "123";
  fs::create_symlink(folder / "nowhere", folder / "a/link");
  EXPECT_EQ(bytes_in(folder), 8);
  EXPECT_EQ(bytes_in(folder / "absent"), 0);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace vlsi
