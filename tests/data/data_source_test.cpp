#include "data/data_source.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/data/data_files.h"
#include "tests/data/tar_writer.h"

namespace vlsi {
namespace data_source_test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_of(const fs::path& path) {
  std::vector<std::string> names;
  for (const auto& file : files_of(path)) names.push_back(file.filename().string());
  return names;
}
using Names = std::vector<std::string>;

TEST(FilesOf, AreAFileOrThoseOfAFolder) {
  const Folder folder({{"b.json", ""},
                       {"a.json", ""},
                       {"sub/c.json", ""},
                       {"README.md", ""},
                       {".cache/d.json", ""},
                       {".nv-meta/e.json", ""},
                       {"pictures/1.jpg", ""}});
  EXPECT_EQ(names_of(folder / "b.json"), Names{"b.json"});
  EXPECT_EQ(names_of(folder.path()), (Names{"a.json", "b.json", "c.json"}));
}

TEST(FilesOf, TakeOneFormatOfAFolder) {
  const Folder folder({{"dataset_infos.json", ""}, {"x/0.tar", ""}, {"x/1.tar", ""}});
  EXPECT_EQ(names_of(folder.path()), (Names{"0.tar", "1.tar"}));
  folder.write("data/p.parquet", "");
  EXPECT_EQ(names_of(folder.path()), Names{"p.parquet"});
}

TEST(FilesOf, TakeTheTrainingPartOfAFolder) {
  const Folder folder({{"data/train-00001-of-00002.parquet", ""},
                       {"data/train-00000-of-00002.parquet", ""},
                       {"data/test-00000-of-00001.parquet", ""}});
  EXPECT_EQ(names_of(folder.path()), (Names{"train-00000-of-00002.parquet", "train-00001-of-00002.parquet"}));
}

TEST(FilesOf, AreWhatAPatternMatches) {
  const Folder folder({{"10.tar", ""}, {"9.tar", ""}, {"x.json", ""}, {"sub/y.json", ""}, {"a[1].json", ""}});
  EXPECT_EQ(names_of(folder / "*.tar"), (Names{"10.tar", "9.tar"}));
  EXPECT_EQ(names_of(folder / "[0-9].tar"), Names{"9.tar"});
  EXPECT_EQ(names_of(folder / "s*"), Names{"y.json"});
  EXPECT_EQ(names_of(folder / "a[1].json"), Names{"a[1].json"});
  EXPECT_ERROR(files_of(folder / "*.parquet"), "the pattern " + (folder / "*.parquet").string() + " matches no file");
}

TEST(FilesOf, RefuseWhatIsNotThere) {
  const Folder folder;
  folder.write("empty/README.md", "");
  EXPECT_ERROR(files_of(folder / "missing.json"), "there is no file " + (folder / "missing.json").string());
  EXPECT_ERROR(files_of(folder / "empty"), "has no data files, expected one of .parquet, .tar, .jsonl, .json, .tsv");
  fs::create_symlink("../blobs/gone", folder / "empty/0.parquet");
  EXPECT_ERROR(files_of(folder / "empty"), "0.parquet is a link to ../blobs/gone, which is not there");
  EXPECT_ERROR(files_of(folder / "empty/0.parquet"), "is a link to ../blobs/gone");
  fs::create_directory_symlink(folder.path() / "empty", folder / "empty/circle");
  fs::remove(folder / "empty/0.parquet");
  EXPECT_ERROR(files_of(folder / "empty"), "folders in one another");
}

TEST(FilesOf, RefuseWhatCannotBeLookedAt) {
  const Folder folder({{"set/a.json", ""}});
  fs::create_symlink("loop", folder / "loop");
  EXPECT_ERROR(files_of(folder / "loop"), "data: look at " + (folder / "loop").string() + ": ");
  EXPECT_ERROR(files_of(folder / std::string(300, 'x')), "data: look at " + folder.path().string());
  fs::create_symlink("loop", folder / "set/loop");
  EXPECT_EQ(names_of(folder / "set"), Names{"a.json"});
  fs::create_symlink("b.json", folder / "set/b.json");
  EXPECT_ERROR(files_of(folder / "set"), "b.json is a link to b.json");
}

TEST(FilesOf, AreThoseOfADataSetInTheHubsCache) {
  const Folder cache({{"datasets--org--set/refs/main", "abc\n"},
                      {"datasets--org--set/snapshots/abc/part/train-0.parquet", ""},
                      {"datasets--org--set/snapshots/abc/other/train-1.parquet", ""}});
  ::setenv("HF_HUB_CACHE", cache.path().c_str(), 1);
  EXPECT_EQ(names_of("org/set"), (Names{"train-1.parquet", "train-0.parquet"}));
  EXPECT_EQ(names_of("org/set/part"), Names{"train-0.parquet"});
  EXPECT_ERROR(files_of("org/else"), "hf download org/else --repo-type dataset");
  ::unsetenv("HF_HUB_CACHE");
}

TEST(OpenFiles, KeepWhatTheExpressionIsTrueOf) {
  const Folder folder;
  folder.write("d/0.jsonl",
               record("a", "\"n\": 1,") + "\n" + record("b", "\"n\": 2,") + "\n" + record("c", "\"n\": 3,"));
  folder.write("d/1.jsonl", record("d", "\"n\": 1,"));
  const auto files = open_files({folder / "d", {}, 1, "n >= 2"});
  ASSERT_EQ(files.size(), 2u);
  ASSERT_EQ(files[0].size(), 2);
  EXPECT_EQ(files[0].size_of_file(), 3);
  EXPECT_EQ(text_of(files[0].read(1).turns[0]), "c");
  EXPECT_EQ(files[0].place(1), (folder / "d/0.jsonl").string() + ", record 3 (line 3)");
  EXPECT_EQ(files[1].size(), 0);
  EXPECT_ERROR(open_files({folder / "d", {}, 1, "n > 3"}), "keep 'n > 3' leaves none of the records of");
  EXPECT_ERROR(open_files({folder / "d", {}, 1, "n > 'x'"}), "record 1 (line 1): keep: \"n\" is an integer");
}

TEST(OpenFiles, KeepRowsOfParquetAndTables) {
  const std::string parquet = std::string(VLSI_TEST_DATA) + "/parquet/questions.parquet";
  const RecordFile all(parquet);
  const auto first = all.json(1)["question"].get<std::string>();
  const auto kept = open_files({parquet, {}, 1, "question == '" + first + "'"});
  ASSERT_GE(kept[0].size(), 1);
  EXPECT_LT(kept[0].size(), all.size());
  EXPECT_EQ(kept[0].json(0)["question"], first);
  ASSERT_FALSE(kept[0].stretches().empty());
  EXPECT_EQ(kept[0].stretches().back().end, kept[0].size());
  EXPECT_ERROR(open_files({parquet, {}, 1, "rating > 3"}), parquet + ": has no column \"rating\"");
  const auto bytes = std::string(VLSI_TEST_DATA) + "/parquet/types.parquet";
  EXPECT_EQ(open_files({bytes, {}, 1, "bytes == null"})[0].size(), 1);
  EXPECT_EQ(open_files({bytes, {}, 1, "bytes != null and fixed != null"})[0].size(), 2);
  const Folder folder;
  const auto tsv = folder.write("a.tsv", "index\tquestion\tanswer\n1\tQ\tyes\n2\tR\tno\n");
  const auto rows = open_files({tsv, {}, 1, "index > 1 and answer != 'yes'"});
  ASSERT_EQ(rows[0].size(), 1);
  EXPECT_EQ(rows[0].read(0).id, "2");
  EXPECT_ERROR(open_files({tsv, {}, 1, "rating > 3"}), "has no column 'rating'");
}

TEST(OpenFiles, RefuseCompressedTars) {
  const Folder folder;
  EXPECT_ERROR(open_files({folder.write("a.tar.gz", "x"), {}, 1}),
               "is compressed, expected the file itself: unpack it first");
}

}  // namespace
}  // namespace data_source_test
}  // namespace vlsi
