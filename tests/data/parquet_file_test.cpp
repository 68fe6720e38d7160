// Parquet files: rows as pyarrow reads them, and files that are damaged, encrypted or of another kind. The files are
// tests/oracle/make_parquet_fixtures.py's.
#include "data/parquet_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "data/dataset.h"
#include "tests/data/binary_json.h"
#include "tests/data/data_files.h"

namespace vlsi {
namespace parquet_test {
namespace {

namespace fs = std::filesystem;

fs::path fixture(const std::string& name) { return fs::path(VLSI_TEST_DATA) / "parquet" / (name + ".parquet"); }
Json expected_rows(const std::string& name) { return read_json(fixture(name).replace_extension(".json")); }

/// NaN becomes null, as in the expected rows.
Json row_of(const ParquetFile& file, int64_t row, ParquetFile::Columns columns = ParquetFile::Columns::kAll) {
  return Json::parse(without_binary(file.row(row, columns)).dump());
}

class ParquetRows : public testing::TestWithParam<const char*> {};

TEST_P(ParquetRows, AreThoseOfPyarrow) {
  const auto expected = expected_rows(GetParam());
  const ParquetFile file(fixture(GetParam()));
  ASSERT_EQ(file.size(), std::ssize(expected));
  for (int64_t row = file.size() - 1; row >= 0; --row) EXPECT_EQ(row_of(file, row), expected[row]) << row;
  // Without room in the cache, every row is decoded for itself.
  const ParquetFile uncached(fixture(GetParam()), std::make_shared<DecodedRowsCache>(0));
  for (int64_t row = 0; row < file.size(); row += 3) EXPECT_EQ(row_of(uncached, row), expected[row]) << row;
}

INSTANTIATE_TEST_SUITE_P(Files, ParquetRows,
                         testing::Values("conversations", "texts", "questions", "mmstar", "types", "pages"),
                         [](const auto& one) { return one.param; });

TEST(ParquetFile, ReadsPicturesApartFromOtherColumns) {
  const ParquetFile file(fixture("conversations"));
  EXPECT_EQ(file.columns(), (std::vector<std::string>{"id", "image", "conversations", "data_source"}));
  EXPECT_EQ(file.picture_columns(), std::vector<std::string>{"image"});
  const auto expected = expected_rows("conversations");
  auto values = expected[0];
  values["image"].erase("bytes");
  EXPECT_EQ(row_of(file, 0, ParquetFile::Columns::kValues), values);
  EXPECT_EQ(row_of(file, 0, ParquetFile::Columns::kPictures), (Json{{"image", expected[0]["image"]}}));
  EXPECT_EQ(row_of(file, 2, ParquetFile::Columns::kPictures), (Json{{"image", nullptr}}));
  EXPECT_EQ(file.place(4), fixture("conversations").string() + ", row 5 (row group 3)");
}

TEST(ParquetFile, VisitsBytesWhereAColumnHasNothingElse) {
  const auto visited = [](const std::string& name, const std::vector<std::string>& columns) {
    Json rows = Json::array();
    ParquetFile(fixture(name)).for_each(columns, [&](int64_t row, const Json* values) {
      EXPECT_EQ(row, std::ssize(rows));
      rows.push_back(without_binary(*values));
    });
    return rows;
  };
  const auto types = expected_rows("types"), conversations = expected_rows("conversations");
  Json expected = Json::array();
  for (const auto& row : types) {
    expected.push_back({{"fixed", row["fixed"]}, {"int8", row["int8"]}, {"bytes", row["bytes"]}});
  }
  EXPECT_EQ(visited("types", {"fixed", "int8", "bytes"}), expected);
  const auto pictures = visited("conversations", {"image"});
  EXPECT_EQ(pictures[0], (Json{{"image", {{"path", "a.png"}}}})) << "a path stands for the picture";
  EXPECT_EQ(pictures[2], (Json{{"image", nullptr}}));
}

TEST(ParquetFile, ReadsFromSeveralThreads) {
  const auto expected = expected_rows("pages");
  const ParquetFile file(fixture("pages"), std::make_shared<DecodedRowsCache>(1 << 12));
  std::vector<std::jthread> threads;
  std::atomic<int> num_wrong = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int64_t i = 0; i < file.size(); ++i) {
        const int64_t row = (i * 61 + thread) % file.size();
        num_wrong += row_of(file, row) != expected[row];
      }
    });
  }
  threads.clear();
  EXPECT_EQ(num_wrong, 0);
}

TEST(ParquetFile, DecodesALargeGroupInStretches) {
  const ParquetFile file(fixture("zeros"), std::make_shared<DecodedRowsCache>(1));
  ASSERT_EQ(file.size(), 32);
  const auto stretches = file.stretches();
  ASSERT_EQ(stretches.size(), 24);  // 64 MiB and a little, by 32 MiB
  EXPECT_EQ(stretches.back().end, 32);
  EXPECT_TRUE(std::is_sorted(stretches.begin(), stretches.end(), [](auto a, auto b) { return a.end < b.end; }));
  for (const int64_t row : {0, 1, 3, 2, 30}) {
    const auto values = file.row(row, ParquetFile::Columns::kAll);
    EXPECT_EQ(values["question"], concat(row, "?"));
    EXPECT_EQ(values["image"].get_binary().size(), size_t{16} << 20) << row;
  }
}

TEST(ParquetFile, RefusesWhatIsNone) {
  const Folder folder;
  const auto whole = content_of(fixture("conversations"));
  const auto refused = [&](std::string_view text) { ParquetFile(folder.write("a.parquet", text)); };
  EXPECT_ERROR(refused("not parquet at all"), "a.parquet: does not begin with PAR1");
  EXPECT_ERROR(refused("PAR1"), "a.parquet: does not end with PAR1, as Parquet files do: it is cut off");
  EXPECT_ERROR(refused("PAR1PAR1PAR1"), "its footer is to have 827474256 bytes, expected 1 to 0");
  EXPECT_ERROR(refused(whole.substr(0, whole.size() / 2)), "a.parquet: does not end with PAR1");
  EXPECT_ERROR(refused("PAR1" + whole.substr(whole.size() - 100)), "its footer is to have");
  EXPECT_ERROR(refused(whole.substr(0, whole.size() - 12) + std::string(4, '\xFF') + whole.substr(whole.size() - 8)),
               "a.parquet: its footer: ");
  EXPECT_ERROR(ParquetFile(folder / "absent.parquet"), "absent.parquet");
  EXPECT_ERROR(ParquetFile(fixture("encrypted")), "encrypted.parquet: is encrypted");
  EXPECT_ERROR(ParquetFile(fixture("encrypted_column")), "row group 1, column 'answer': is encrypted");
  EXPECT_ERROR(ParquetFile(fixture("twice")), "twice.parquet: column \"question\" is there twice");
  EXPECT_ERROR(ParquetFile(fixture("empty")), "empty.parquet: holds no rows");
  EXPECT_ERROR(ParquetFile(fixture("absurd_rows")),
               "row group 1: is to have 281474976709645 rows, expected at most 676864");
}

/// The footer of `whole` behind a body of which the bytes from `from` on are gone.
std::string without_body(const std::string& whole, size_t from, size_t count) {
  return whole.substr(0, from) + whole.substr(from + count);
}

TEST(ParquetFile, NamesTheRowGroupAndColumnOfDamage) {
  const Folder folder;
  const auto whole = content_of(fixture("questions"));
  EXPECT_ERROR(ParquetFile(folder.write("a.parquet", without_body(whole, 8, 2000))),
               "expected some between bytes 4 and");
  // Every byte of the data in turn: each is found, or is none that matters.
  const size_t footer = whole.size() - 8 - ParquetFile(fixture("questions")).footer().size();
  std::vector<std::string> messages;
  for (size_t at = 4; at < footer; at += 5) {
    auto damaged = whole;
    damaged[at] ^= 0x55;
    const auto path = folder.write("b.parquet", damaged);
    const auto message = message_of([&] {
      const ParquetFile file(path);
      for (int64_t row = 0; row < file.size(); ++row) file.row(row, ParquetFile::Columns::kAll);
    });
    EXPECT_EQ(message.find('\n'), message.npos) << message;
    if (message != "no error") messages.push_back(message);
  }
  EXPECT_GT(messages.size(), 100);
  const auto names = [&](const std::string& text) {
    return std::any_of(messages.begin(), messages.end(), [&](const auto& one) { return one.find(text) != one.npos; });
  };
  EXPECT_TRUE(names("b.parquet, row group 2, column \"image_id\": ")) << messages[0];
  EXPECT_TRUE(names("b.parquet, row group 3, column \"answer\": ")) << messages[0];
}

TEST(ParquetFile, SurvivesDamageOfTheFooter) {
  const Folder folder;
  const auto whole = content_of(fixture("texts"));
  const size_t begin = whole.size() - 8 - ParquetFile(fixture("texts")).footer().size();
  int num_refused = 0;
  for (size_t at = begin; at < whole.size(); at += 2) {
    auto damaged = whole;
    damaged[at] ^= static_cast<char>(1 + at % 255);
    const auto path = folder.write("a.parquet", damaged);
    const auto message = message_of([&] {
      const ParquetFile file(path);
      for (int64_t row = 0; row < std::min<int64_t>(file.size(), 10); ++row) {
        file.row(row, ParquetFile::Columns::kAll);
      }
    });
    EXPECT_EQ(message.find('\n'), message.npos) << message;
    num_refused += message != "no error";
  }
  EXPECT_GT(num_refused, 100);
}

}  // namespace
}  // namespace parquet_test
}  // namespace vlsi
