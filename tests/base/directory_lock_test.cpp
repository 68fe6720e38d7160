#include "base/directory_lock.h"

#include <memory>

#include "tests/support/files.h"

namespace vlsi {
namespace {

std::string refusal(const std::filesystem::path& directory) {
  return message_of([&] { const DirectoryLock lock(directory, "working"); });
}

TEST(DirectoryLock, KeepsASecondOneOutUntilItIsGone) {
  const Folder own;
  const auto folder = own.path();
  auto lock = std::make_unique<DirectoryLock>(folder, "working");
  EXPECT_EQ(refusal(folder), concat("working in ", folder.string(), ": another process (its number is ", ::getpid(),
                                    ") is running there"));
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
