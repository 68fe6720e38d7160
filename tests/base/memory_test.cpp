#include "base/memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/files.h"

namespace vlsi {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

/// A root with 8 GiB available of 16.
class Root {
 public:
  Root() {
    write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:        1048576 kB\nMemAvailable:    8388608 kB\n");
  }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_.path() / name).parent_path());
    folder_.write(name, text);
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  Folder folder_;
};

TEST(AvailableMemory, IsTheKernelsWithoutALimit) {
  const Root root;
  EXPECT_EQ(available_memory(root.path()), 8 * kGiB);
  root.write("sys/fs/cgroup/memory.max", "max\n");
  root.write("sys/fs/cgroup/memory.current", "4096\n");
  EXPECT_EQ(available_memory(root.path()), 8 * kGiB);
}

TEST(AvailableMemory, IsUnknownWhereNothingSaysIt) {
  const Folder folder;
  EXPECT_EQ(available_memory(folder.path()), std::nullopt);
}

TEST(AvailableMemory, IsWhatTheTightestControlGroupLeaves) {
  const Root root;
  root.write("proc/self/cgroup", "0::/service/job\n");
  root.write("sys/fs/cgroup/service/memory.max", std::to_string(4 * kGiB));
  root.write("sys/fs/cgroup/service/memory.current", std::to_string(3 * kGiB));
  EXPECT_EQ(available_memory(root.path()), kGiB);
  root.write("sys/fs/cgroup/service/memory.stat", "anon 5\nfile " + std::to_string(2 * kGiB) + "\nkernel 7\n");
  EXPECT_EQ(available_memory(root.path()), 3 * kGiB);
  root.write("sys/fs/cgroup/service/job/memory.max", std::to_string(kGiB));
  root.write("sys/fs/cgroup/service/job/memory.current", std::to_string(2 * kGiB));
  EXPECT_EQ(available_memory(root.path()), 0);
}

TEST(AvailableMemory, ReadsVersionOneWhoseNoLimitIsAHugeOne) {
  const Root root;
  root.write("proc/self/cgroup", "5:cpu:/\n4:memory:/job\n0::/\n");
  const std::string group = "sys/fs/cgroup/memory/";
  root.write(group + "memory.limit_in_bytes", "9223372036854771712\n");
  root.write(group + "memory.usage_in_bytes", "1000000\n");
  root.write(group + "memory.stat", "cache 1\ntotal_cache 2000000\n");  // more than is used: counted at another moment
  EXPECT_EQ(available_memory(root.path()), 8 * kGiB);
  root.write(group + "job/memory.limit_in_bytes", std::to_string(2 * kGiB));
  root.write(group + "job/memory.usage_in_bytes", std::to_string(kGiB));
  EXPECT_EQ(available_memory(root.path()), kGiB);
}

TEST(ResidentMemory, GrowsWithWhatIsTouched) {
  const int64_t before = resident_memory();
  constexpr int64_t kBytes = 64 << 20;
  const std::vector<char> touched(kBytes, 1);
  // Other memory may be given back meanwhile.
  EXPECT_GT(resident_memory(), before + kBytes / 2);
  EXPECT_EQ(touched.back(), 1);
}

}  // namespace
}  // namespace vlsi
