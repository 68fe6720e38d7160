#include "base/directory_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

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
  EXPECT_EQ(refusal(folder), "working in " + folder.string() + ": another process is running there");
  lock.reset();
  EXPECT_EQ(refusal(folder), "no error");
  std::filesystem::remove_all(folder);
  EXPECT_EQ(refusal(folder), "working in " + folder.string() + ": No such file or directory");
}

}  // namespace
}  // namespace vlsi
