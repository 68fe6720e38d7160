// What a file of any format has in common; each format has a test of its own.
#include "data/dataset.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"
#include "tests/data/tar_writer.h"

namespace vlsi {
namespace dataset_test {
namespace {

namespace fs = std::filesystem;

TEST(RecordFile, IsOfTheFormatOfItsName) {
  const Folder folder;
  EXPECT_EQ(RecordFile(folder.write("a.tar", tar_of({{"0.txt", "x"}}))).place(0),
            (folder / "a.tar").string() + ", sample 1 (0)");
  EXPECT_EQ(RecordFile(folder.write("a.anything", record("x"))).place(0),
            (folder / "a.anything").string() + ", record 1 (line 1)");
}

TEST(RecordFile, IsKnownByItsContent) {
  const Folder folder;
  const auto print = [&](const std::string& name, const std::string& text) {
    return RecordFile(folder.write(name, text)).fingerprint();
  };
  const auto first = print("a.jsonl", record("x"));
  EXPECT_EQ(first.name, "a.jsonl");
  EXPECT_EQ(first.bytes, std::ssize(record("x")));
  EXPECT_EQ(first.checksum, print("a.jsonl", record("x")).checksum);
  EXPECT_NE(first.checksum, print("a.jsonl", record("y")).checksum);
  const auto tar = print("a.tar", tar_of({{"0.txt", "x"}}));
  EXPECT_EQ(tar.bytes, 2048);
  EXPECT_NE(tar.checksum, print("a.tar", tar_of({{"0.txt", "xy"}})).checksum);
}

TEST(RecordFile, OfATableIsKeptByTextsAndByNumbers) {
  const Folder folder;
  const auto path = folder.write("a.tsv", "index\tquestion\tanswer\n1\tQ\tA\n2\tQ\t2\n3\tQ\tB\n");
  const auto ids = [&](const std::string& keep) {
    const RecordFile file(path, {}, nullptr, Keep(keep));
    std::string text;
    for (int64_t i = 0; i < file.size(); ++i) text += file.read(i).id;
    return text;
  };
  EXPECT_EQ(ids("answer == 'A'"), "1");
  EXPECT_EQ(ids("answer == '2'"), "2");
  EXPECT_EQ(ids("answer != 'A' and index >= 2"), "23");
  EXPECT_ERROR(ids("answer > 1"), "row 1 (line 2): keep: \"answer\" is a string, expected what can be compared with 1");
}

TEST(RecordFile, KeepsWhatCannotBeReadForItsReaderToRefuse) {
  const Folder folder;
  const auto numbers_of = [](const fs::path& path, const std::string& keep) {
    const RecordFile file(path, {}, nullptr, Keep(keep));
    std::vector<int64_t> numbers;
    for (int64_t i = 0; i < file.size(); ++i) numbers.push_back(file.number(i));
    return numbers;
  };
  const auto lines = folder.write("a.jsonl", record("a", "\"n\": 1,") + "\n{\"n\": }\n" + record("b", "\"n\": 2,"));
  EXPECT_EQ(numbers_of(lines, "n == 1"), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(numbers_of(lines, "n == 2"), (std::vector<int64_t>{1, 2}));
  EXPECT_ERROR(RecordFile(lines, {}, nullptr, Keep("n == 2")).read(0), "a.jsonl, record 2 (line 2)");
  EXPECT_ERROR(numbers_of(lines, "n == 'x'"), "record 1 (line 1): keep: \"n\" is an integer");
  const auto tar =
      folder.write("a.tar", tar_of({{"0.json", record("a", "\"n\": 1,")}, {"1.json", "{"}, {"2.json", "{\"n\": 2}"}}));
  EXPECT_EQ(numbers_of(tar, "n == 1"), (std::vector<int64_t>{0, 1}));
  EXPECT_ERROR(RecordFile(tar, {}, nullptr, Keep("n == 2")).read(0), "a.tar, sample 2 (1)");
  auto damaged = content_of(fs::path(VLSI_TEST_DATA) / "parquet/questions.parquet");
  damaged[1585] ^= 0x55;  // in the second of its row groups of three rows, in column `question`
  const auto parquet = folder.write("a.parquet", damaged);
  EXPECT_EQ(numbers_of(parquet, "question == 'Question 6?'"), (std::vector<int64_t>{3, 4, 5, 6}));
  EXPECT_ERROR(RecordFile(parquet, {}, nullptr, Keep("question == 'Question 6?'")).read(0), "column \"question\"");
}

TEST(RecordFile, SaysThatItHasChanged) {
  const Folder folder;
  const auto path = folder.write("a.jsonl", record("x"));
  const RecordFile file(path);
  EXPECT_NO_THROW(file.check_unchanged());
  folder.write("a.jsonl", record("xy"));
  EXPECT_ERROR(file.check_unchanged(), path.string() + " has changed since it was opened");
}

}  // namespace
}  // namespace dataset_test
}  // namespace vlsi
