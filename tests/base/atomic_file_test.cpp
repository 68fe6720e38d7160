// Files and directories appear whole, or the earlier ones stay.
#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

TEST_F(AtomicFileTest, RefusesAFoldersNameAtOnce) {
  fs::create_directories(folder_ / "a");
  fs::create_directory_symlink("a", folder_ / "link");
  for (const auto& path : {folder_ / "a", folder_ / "a/", folder_ / "none/", folder_ / "link", folder_ / "."}) {
    EXPECT_EQ(message_of([&] { AtomicFile file(path); }), "write " + path.string() + ": Is a directory");
  }
  EXPECT_EQ(num_entries(), 2u);
}

TEST_F(AtomicFileTest, FollowsLinksToWhereTheFileIsOrWillBe) {
  fs::create_directories(folder_ / "real");
  fs::create_directories(folder_ / "links");
  write_file(folder_ / "real/a", "earlier");
  fs::create_symlink("../real/a", folder_ / "links/a");
  fs::create_symlink("a", folder_ / "links/again");
  fs::create_symlink(folder_ / "real/new", folder_ / "links/new");
  write_file(folder_ / "links/again", "later");
  write_file(folder_ / "links/new", "new");
  for (const char* name : {"a", "again", "new"}) EXPECT_TRUE(fs::is_symlink(folder_ / "links" / name)) << name;
  EXPECT_EQ(content_of(folder_ / "real/a"), "later");
  EXPECT_EQ(content_of(folder_ / "real/new"), "new");
  fs::create_symlink("loop", folder_ / "links/loop");
  EXPECT_NE(message_of([&] { AtomicFile file(folder_ / "links/loop"); }).find("symbolic links"), std::string::npos);
}

TEST_F(AtomicFileTest, WritesStraightToWhatIsNoFile) {
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string received;
  std::thread reader([&] { received = content_of(pipe); });
  write_file(pipe, "through a pipe");
  reader.join();
  EXPECT_EQ(received, "through a pipe");
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(num_entries(), 1u);
  fs::create_symlink("/dev/full", folder_ / "full");
  EXPECT_EQ(message_of([&] { write_file(folder_ / "full", "x"); }),
            "write " + (folder_ / "full").string() + ": No space left on device");
}

TEST_F(AtomicFileTest, WritesIntoAnOpenFileBehindWhatIsThere) {
  const int open = ::open((folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(open, 0);
  ASSERT_EQ(::write(open, "one ", 4), 4);
  write_file(concat("/dev/fd/", open), "two");
  ASSERT_EQ(::write(open, " three", 6), 6) << "it stays open";
  ::close(open);
  EXPECT_EQ(content_of(folder_ / "log"), "one two three");
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

// Linux has no process of this number.
const std::string kNoProcess = "99999999";

TEST_F(AtomicFileTest, RemovesWhatKilledProcessesLeft) {
  const auto folder = folder_ / "litter";
  fs::create_directories(folder / ("shard.tmp-" + kNoProcess + "-0"));
  const auto half = folder / ("a.json.tmp-" + kNoProcess + "-1");
  std::ofstream(half) << "half";
  // Of an earlier process that had this one's number.
  std::ofstream(folder / concat("b.json.tmp-", ::getpid(), "-", UINT64_MAX)) << "half";
  std::ofstream(folder / "a.json") << "whole";
  EXPECT_TRUE(is_temporary(half));
  remove_leftovers(folder);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  EXPECT_EQ(content_of(folder / "a.json"), "whole");
  EXPECT_NO_THROW(remove_leftovers(folder / "absent"));
}

TEST_F(AtomicFileTest, DirectoryRemovesWhatKilledProcessesLeftOfTheSameTarget) {
  fs::create_directories(folder_ / ("run.tmp-" + kNoProcess + "-0") / "deep");
  const std::vector<std::string> others{concat("run.tmp-", ::getppid(), "-0"),  // the parent runs
                                        "other.tmp-" + kNoProcess + "-0", "a-run.tmp-" + kNoProcess + "-0",
                                        "run.tmp-1.tmp-" + kNoProcess + "-0", "run.tmp-notes"};
  for (const auto& name : others) fs::create_directories(folder_ / name);
  AtomicDirectory directory(folder_ / "run/");
  EXPECT_FALSE(fs::exists(folder_ / ("run.tmp-" + kNoProcess + "-0")));
  for (const auto& name : others) EXPECT_TRUE(fs::exists(folder_ / name)) << name;
  directory.commit();
  EXPECT_EQ(num_entries(), others.size() + 1);
}

TEST_F(AtomicFileTest, LeavesWhatIsBeingWrittenAndOtherNames) {
  const auto folder = folder_ / "work";
  const AtomicDirectory directory(folder / "model");
  AtomicFile file(folder / "a.json");
  std::vector<std::string> names{concat("b.json.tmp-", ::getppid(), "-0")};  // the parent runs
  for (const std::string suffix : {"", "notes", "1", "1-", "1-x", "-1", "-1-1", "x-1-1", "1-1.txt", "1-1-1", "1 -1"}) {
    names.push_back("notes.tmp-" + suffix);
    EXPECT_FALSE(is_temporary(folder / names.back())) << names.back();
  }
  for (const auto& name : names) write_text(folder / name, "mine");
  remove_leftovers(folder);
  for (const auto& name : names) EXPECT_TRUE(fs::exists(folder / name)) << name;
  EXPECT_TRUE(fs::exists(directory.path()));
  file.commit();
  EXPECT_TRUE(fs::exists(folder / "a.json"));
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
