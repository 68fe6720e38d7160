// Files and directories appear whole, or the earlier ones stay.
#include "base/atomic_file.h"

#include <functional>
#include <thread>
#include <vector>

#include "tests/support/errors.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  size_t num_entries() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  Folder own_;
  const fs::path folder_ = own_.path();
};

TEST_F(AtomicFileTest, AppearsOnlyAtCommit) {
  AtomicFile file(folder_ / "a");
  file.write("one ");
  file.write("two");
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  file.commit();
  EXPECT_EQ(content_of(folder_ / "a"), "one two");
  EXPECT_EQ(num_entries(), 1u);
}

TEST_F(AtomicFileTest, LeavesTheEarlierFileAndNoLitterWithoutACommit) {
  write_file(folder_ / "a", "earlier");
  { AtomicFile(folder_ / "a").write("later"); }
  EXPECT_EQ(content_of(folder_ / "a"), "earlier");
  EXPECT_EQ(num_entries(), 1u);
}

TEST_F(AtomicFileTest, ReplacesAnEarlierFile) {
  write_file(folder_ / "a", "earlier and longer");
  write_file(folder_ / "a", "later");
  EXPECT_EQ(content_of(folder_ / "a"), "later");
}

TEST_F(AtomicFileTest, WritesToARelativePath) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  write_file("relative", "x");
  fs::current_path(before);
  EXPECT_EQ(content_of(folder_ / "relative"), "x");
}

TEST_F(AtomicFileTest, LetsTheLastOfConcurrentWritersOfOneFileWinWhole) {
  std::vector<std::thread> writers;
  for (char letter = 'a'; letter < 'i'; ++letter) {
    writers.emplace_back([&, letter] { write_file(folder_ / "shared", std::string(10000, letter)); });
  }
  for (auto& writer : writers) writer.join();
  const std::string content = content_of(folder_ / "shared");
  ASSERT_EQ(content.size(), 10000u);
  EXPECT_EQ(content, std::string(10000, content[0]));
  EXPECT_EQ(num_entries(), 1u);
}

TEST_F(AtomicFileTest, KeepsTheEarlierFileWhenTheDiskIsFull) {
  write_file(folder_ / "a", "earlier");
  std::string message;
  {
    const FileSizeLimit limit(4096);
    message = message_of([&] { write_file(folder_ / "a", std::string(10000, 'x')); });
  }
  EXPECT_EQ(message, "write " + (folder_ / "a").string() + ": File too large");
  EXPECT_EQ(content_of(folder_ / "a"), "earlier");
  EXPECT_EQ(num_entries(), 1u);
}

TEST_F(AtomicFileTest, RefusesAFolderThatDoesNotExist) {
  const fs::path path = folder_ / "none" / "a";
  EXPECT_EQ(message_of([&] { AtomicFile file(path); }), "write " + path.string() + ": No such file or directory");
}

TEST_F(AtomicFileTest, RefusesAFolderThatIsAFile) {
  write_file(folder_ / "a", "");
  const fs::path path = folder_ / "a" / "b";
  EXPECT_EQ(message_of([&] { AtomicFile file(path); }), "write " + path.string() + ": Not a directory");
}

TEST_F(AtomicFileTest, RefusesToReplaceADirectory) {
  fs::create_directories(folder_ / "a");
  EXPECT_EQ(message_of([&] { write_file(folder_ / "a", "x"); }),
            "write " + (folder_ / "a").string() + ": Is a directory");
  EXPECT_EQ(num_entries(), 1u);
}

TEST_F(AtomicFileTest, DirectoryAppearsOnlyAtCommitWithItsParents) {
  const fs::path target = folder_ / "parent" / "run";
  AtomicDirectory directory(target);
  fs::create_directories(directory.path() / "deep");
  write_file(directory.path() / "deep" / "a", "x");
  EXPECT_FALSE(fs::exists(target));
  directory.commit();
  EXPECT_EQ(content_of(target / "deep" / "a"), "x");
  EXPECT_FALSE(fs::exists(directory.path()));
}

TEST_F(AtomicFileTest, DirectoryReplacesAnEarlierOneWhole) {
  fs::create_directories(folder_ / "run");
  write_file(folder_ / "run" / "earlier", "x");
  AtomicDirectory directory(folder_ / "run/");
  write_file(directory.path() / "later", "y");
  directory.commit();
  EXPECT_FALSE(fs::exists(folder_ / "run" / "earlier"));
  EXPECT_EQ(content_of(folder_ / "run" / "later"), "y");
  EXPECT_EQ(num_entries(), 1u);
}

TEST_F(AtomicFileTest, DirectoryBehindALinkIsReplacedAndTheLinkStays) {
  fs::create_directories(folder_ / "real");
  write_file(folder_ / "real" / "earlier", "x");
  fs::create_directory_symlink("real", folder_ / "link");
  AtomicDirectory directory(folder_ / "link");
  write_file(directory.path() / "later", "y");
  directory.commit();
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(content_of(folder_ / "real" / "later"), "y");
  EXPECT_FALSE(fs::exists(folder_ / "real" / "earlier"));
}

TEST_F(AtomicFileTest, DirectoryLeavesTheEarlierOneAndNoLitterWithoutACommit) {
  fs::create_directories(folder_ / "run");
  write_file(folder_ / "run" / "earlier", "x");
  {
    const AtomicDirectory directory(folder_ / "run");
    write_file(directory.path() / "later", "y");
  }
  EXPECT_EQ(content_of(folder_ / "run" / "earlier"), "x");
  EXPECT_EQ(num_entries(), 1u);
}

TEST_F(AtomicFileTest, DirectoryRefusesATargetThatIsAFile) {
  write_file(folder_ / "a", "");
  EXPECT_EQ(message_of([&] { AtomicDirectory directory(folder_ / "a"); }),
            "write " + (folder_ / "a").string() + ": is a file, expected a directory or nothing");
}

TEST_F(AtomicFileTest, DirectoryRefusesTheRoot) {
  EXPECT_EQ(message_of([&] { AtomicDirectory directory("/"); }),
            "write /: is the root, expected a directory that can be replaced");
}

TEST_F(AtomicFileTest, RemovesWhatKilledProcessesLeft) {
  const auto folder = folder_ / "litter";
  fs::create_directories(folder / "shard.tmp-12-0");
  std::ofstream(folder / "a.json.tmp-12-1") << "half";
  std::ofstream(folder / "a.json") << "whole";
  EXPECT_TRUE(is_temporary(folder / "a.json.tmp-12-1"));
  remove_leftovers(folder);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  EXPECT_EQ(content_of(folder / "a.json"), "whole");
  EXPECT_NO_THROW(remove_leftovers(folder / "absent"));
}

TEST_F(AtomicFileTest, MakesDirectoriesWithTheirParentsTwice) {
  make_directories(folder_ / "a" / "b");
  make_directories(folder_ / "a" / "b");
  EXPECT_TRUE(fs::is_directory(folder_ / "a" / "b"));
}

TEST_F(AtomicFileTest, SaysBeforehandThatNothingCanBeWritten) {
  EXPECT_NO_THROW(check_writable(folder_));
  EXPECT_EQ(message_of([&] { check_writable(folder_ / "none"); }),
            "write into " + (folder_ / "none").string() + ": No such file or directory");
}

TEST_F(AtomicFileTest, RefusesToMakeADirectoryWhereAFileIs) {
  write_file(folder_ / "a", "");
  EXPECT_EQ(message_of([&] { make_directories(folder_ / "a"); }),
            "create folder " + (folder_ / "a").string() + ": Not a directory");
  EXPECT_EQ(message_of([&] { make_directories(folder_ / "a" / "b"); }),
            "create folder " + (folder_ / "a" / "b").string() + ": Not a directory");
}

}  // namespace
}  // namespace vlsi
