// Benchmarks whose rows are in Parquet files, as Hugging Face's are. The files are
// tests/oracle/make_parquet_fixtures.py's.
#include <gtest/gtest.h>

#include "eval/rows.h"
#include "tests/eval/score_files.h"

namespace vlsi {
namespace parquet_benchmark_test {
namespace {

namespace fs = std::filesystem;

const fs::path kFiles = fs::path(VLSI_TEST_DATA) / "parquet";

std::unique_ptr<Benchmark> open(const std::string& name, const fs::path& data, const std::string& profile) {
  return benchmarks().find(name)->open({data, {}, ChosenProfile(profile)});
}

/// The kinds and texts of the last turn: pictures as "*".
std::string shown(const Benchmark& benchmark, int64_t question) {
  std::string all;
  const auto asked = benchmark.questions().read(question, false);
  for (const auto& one : asked.turns.back().contents) {
    all += one.kind == Content::Kind::kImage ? "*" : one.text;
  }
  return all;
}

TEST(ParquetBenchmarks, AskWithTheirPictures) {
  const auto mmstar = open("mmstar", kFiles / "mmstar.parquet", "lmms");
  ASSERT_EQ(mmstar->questions().size(), 4);
  const auto contents = mmstar->questions().read(3, false).turns.back().contents;
  ASSERT_EQ(contents.size(), 2);
  const Rows rows(kFiles / "mmstar.parquet");
  const auto bytes = rows.picture_values(3)["image"]["bytes"].get_binary();
  EXPECT_EQ(contents[0].picture_file, std::string(bytes.begin(), bytes.end()));
  EXPECT_EQ(rows.row(3)["image"], (Json{{"path", "3.png"}}));
  EXPECT_EQ(mmstar->questions().place(3), (kFiles / "mmstar.parquet").string() + ", row 4 (row group 2)");
  EXPECT_EQ(shown(*open("mmmu", kFiles / "mmmu.parquet", "official"), 0).substr(0, 27), "**Is <image 2> or <image 1>");
  EXPECT_EQ(shown(*open("mmmu", kFiles / "mmmu.parquet", "vlmevalkit"), 0).find("<image"), std::string::npos);
  EXPECT_EQ(score("mmstar", "lmms", kFiles / "mmstar.parquet", {"A", "B", "C", "A"}).json["accuracy"], 0.75);
}

TEST(ParquetBenchmarks, PreferPicturesToNamesOfFiles) {
  const auto benchmark = open("hallusion-bench", kFiles / "hallusion_bench.parquet", "vlsi");
  const auto first = benchmark->questions().read(0, false).turns.back().contents;
  ASSERT_EQ(first.size(), 2);
  EXPECT_FALSE(first[0].picture_file.empty());
  EXPECT_EQ(benchmark->questions().read(1, false).turns.back().contents.size(), 1);
}

TEST(ParquetBenchmarks, MayLieInSeveralFilesOfAFolder) {
  const Folder folder;
  fs::copy_file(kFiles / "mmstar.parquet", folder / "test-00001-of-00002.parquet");
  fs::copy_file(kFiles / "mmmu.parquet", folder / "test-00000-of-00002.parquet");
  const Rows rows(folder.path());
  ASSERT_EQ(rows.size(), 5);
  EXPECT_EQ(rows.file(0), "test-00000-of-00002");
  EXPECT_EQ(rows.number(4), 3);
}

}  // namespace
}  // namespace parquet_benchmark_test
}  // namespace vlsi
