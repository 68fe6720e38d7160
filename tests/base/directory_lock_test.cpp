#include "base/directory_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>

#include "base/error.h"

namespace vlsi {
namespace {

std::string refusal(const std::filesystem::path& directory) {
  try {
    const DirectoryLock lock(directory, "working");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(DirectoryLock, KeepsASecondOneOutUntilItIsGone) {
  const auto folder = std::filesystem::path(testing::TempDir()) / concat("vlsi_lock_", ::getpid());
  std::filesystem::create_directories(folder);
  auto lock = std::make_unique<DirectoryLock>(folder, "working");
  EXPECT_EQ(refusal(folder), concat("working in ", folder.string(), ": another process (its number is ", ::getpid(), ") is running there"));
  for (const char* unreadable : {"", "x", "-3", "0", "99999999999999999999"}) {
    std::ofstream(folder / ".lock") << unreadable;
    EXPECT_EQ(refusal(folder), "working in " + folder.string() + ": another process is running there") << unreadable;
  }
  lock.reset();
  EXPECT_EQ(refusal(folder), "no error");
  std::filesystem::remove_all(folder);
  EXPECT_EQ(refusal(folder), "working in " + folder.string() + ": No such file or directory");
}

}  // namespace
}  // namespace vlsi
