// Child processes, of shells.
#include "study/children.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "tests/support/files.h"

namespace vlsi::children_test {
namespace {

ChildEnd end_of(Child& child) {
  for (;;) {
    if (const auto end = child.poll()) return *end;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

ChildCommand shell(const Folder& folder, const std::string& script) {
  return {"/bin/sh", {"-c", script}, {{"VLSI_TEST_WORD", "given"}}, folder / "log"};
}

TEST(Child, AppendsWhatItSaysToItsLogAndEndsWithItsStatus) {
  const Folder folder;
  for (int i = 0; i < 2; ++i) {
    Child child(shell(folder, "echo out $VLSI_TEST_WORD; echo err >&2; read line || echo no input; exit 7"));
    const auto end = end_of(child);
    EXPECT_EQ(end.status, 7);
    EXPECT_GT(end.peak_memory_bytes, 0);
    EXPECT_FALSE(child.poll()) << "its end comes once";
  }
  const std::string once = "out given\nerr\nno input\n";
  EXPECT_EQ(content_of(folder / "log"), once + once);
}

TEST(Child, IsAskedToStopByOneInterrupt) {
  const Folder folder;
  Child child(shell(folder, "trap 'echo stopping; exit 1' INT; echo ready; while :; do sleep 0.01; done"));
  while (content_of(folder / "log").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  child.stop();
  EXPECT_EQ(end_of(child).status, 1);
  EXPECT_EQ(content_of(folder / "log"), "ready\nstopping\n");
}

TEST(Child, ThatASignalEndsHasItInItsStatus) {
  const Folder folder;
  Child child(shell(folder, "kill -9 $$"));
  EXPECT_EQ(end_of(child).status, 128 + SIGKILL);
}

TEST(Child, IsWaitedForWhenNobodyWantsItAnyMore) {
  const Folder folder;
  {
    const Child child(shell(folder, "trap 'echo saved; exit 0' INT; echo ready; while :; do sleep 0.01; done"));
    while (content_of(folder / "log").empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(content_of(folder / "log"), "ready\nsaved\n");
}

TEST(Child, RefusesALogThatCannotBeWritten) {
  const Folder folder;
  auto command = shell(folder, "true");
  command.log = folder / "none/log";
  expect_error([&] { Child child(command); }, {"writing", "none/log", "No such file"});
}

TEST(Child, ThatIsNoProgramFails) {
  const Folder folder;
  auto command = shell(folder, "true");
  command.program = folder / "none";
  Child child(command);
  EXPECT_EQ(end_of(child).status, 127);
}

}  // namespace
}  // namespace vlsi::children_test
