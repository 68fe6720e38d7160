// Mapping files, and refusing what is not a file.
#include "base/mapped_file.h"

#include <sys/stat.h>

#include <fstream>

#include "tests/support/files.h"

namespace vlsi {
namespace {

class MappedFileTest : public testing::Test {
 protected:
  static std::string refusal(const std::filesystem::path& path) {
    return message_of([&] { MappedFile::open(path); });
  }

  Folder own_;
  const std::filesystem::path folder_ = own_.path();
};

TEST_F(MappedFileTest, ShowsTheBytesOfTheFile) {
  const std::string content("zero \0 and \xFF", 12);
  std::ofstream(folder_ / "a").write(content.data(), 12);
  const auto file = MappedFile::open(folder_ / "a");
  EXPECT_EQ(file->text(), content);
  EXPECT_EQ(file->bytes().size(), 12u);
  EXPECT_EQ(file->path(), folder_ / "a");
}

TEST_F(MappedFileTest, GivesNoBytesForAnEmptyFile) {
  std::ofstream(folder_ / "empty").flush();
  const auto file = MappedFile::open(folder_ / "empty");
  EXPECT_TRUE(file->bytes().empty());
  EXPECT_EQ(file->text(), "");
}

TEST_F(MappedFileTest, KeepsTheBytesOfARemovedFile) {
  std::ofstream(folder_ / "a") << "still here";
  const auto file = MappedFile::open(folder_ / "a");
  std::filesystem::remove(folder_ / "a");
  EXPECT_EQ(file->text(), "still here");
}

TEST_F(MappedFileTest, IsInMemoryWhenReadAndOutOfItWhenReleased) {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE)), size = 16 * page;
  std::ofstream(folder_ / "a") << std::string(size, 'x');
  const auto file = MappedFile::open(folder_ / "a");
  const auto resident_pages = [&] {  // of the mapping, by its line "Rss:" behind its address
    std::ifstream maps("/proc/self/smaps");
    std::string line;
    while (std::getline(maps, line) && line.find((folder_ / "a").string()) == std::string::npos) {
    }
    while (std::getline(maps, line) && !line.starts_with("Rss:")) {
    }
    return static_cast<size_t>(std::stol(line.substr(4))) * 1024 / page;
  };
  read_now(file->bytes());
  EXPECT_EQ(resident_pages(), 16u);
  release(file->bytes().subspan(page + 1, 3 * page));  // whole pages that hold any of it
  EXPECT_EQ(resident_pages(), 12u);
  release(file->bytes());
  EXPECT_EQ(resident_pages(), 0u);
  EXPECT_EQ(file->text(), std::string(size, 'x'));
}

TEST_F(MappedFileTest, RefusesAMissingFile) {
  EXPECT_EQ(refusal(folder_ / "none"), "open " + (folder_ / "none").string() + ": No such file or directory");
}

TEST_F(MappedFileTest, NamesAFileOnOneLine) {
  EXPECT_EQ(refusal(folder_ / "a\nb"), "open " + (folder_ / "a").string() + "\\x0ab: No such file or directory");
}

TEST_F(MappedFileTest, NamesAPointerThatStandsForAFile) {
  std::ofstream(folder_ / "model.safetensors") << "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n";
  EXPECT_EQ(refusal(folder_ / "model.safetensors"),
            "open " + (folder_ / "model.safetensors").string() +
                ": is a Git LFS pointer and not the file that it stands for, which `git lfs pull` fetches");
}

TEST_F(MappedFileTest, RefusesADirectory) {
  EXPECT_EQ(refusal(folder_), "open " + folder_.string() + ": is a directory, expected a file");
}

TEST_F(MappedFileTest, RefusesAPipeWithoutWaitingForAWriter) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(refusal(folder_ / "pipe"),
            "open " + (folder_ / "pipe").string() + ": is not a regular file, expected a file");
}

}  // namespace
}  // namespace vlsi
