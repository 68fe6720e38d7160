// Tables as pandas reads them, and what no table is.
#include "data/tsv_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/data/data_files.h"

namespace vlsi {
namespace {

TEST(TsvFile, ReadsQuotedCellsOfSeveralLines) {
  const Folder folder;
  const TsvFile file(folder.write("a.tsv",
                                  "\xEF\xBB\xBFindex\tquestion\tA\tB\n"
                                  "0\t\"What, is \"\"it\"\"?\nA\ttab\"\t4\" long\tN/A\r\n"
                                  "\n"
                                  "1\tplain \"quotes\" inside\tNone\tnan\r"
                                  "2\t\"closed\" and more\n"
                                  "3\t\"\"\tx\t\"y\""));
  EXPECT_EQ(file.columns(), (std::vector<std::string>{"index", "question", "A", "B"}));
  ASSERT_EQ(file.size(), 4);
  EXPECT_EQ(file.row(0), (Json{{"index", "0"}, {"question", "What, is \"it\"?\nA\ttab"}, {"A", "4\" long"}}));
  EXPECT_EQ(file.row(1), (Json{{"index", "1"}, {"question", "plain \"quotes\" inside"}, {"A", "None"}}));
  EXPECT_EQ(file.row(2), (Json{{"index", "2"}, {"question", "closed and more"}}));
  EXPECT_EQ(file.row(3, {2}), (Json{{"index", "3"}, {"B", "y"}}));
  EXPECT_EQ(file.cell(3, 3), "y");
  EXPECT_EQ(file.cell(2, 3), "");
  EXPECT_TRUE(file.has(0, 2));
  EXPECT_FALSE(file.has(0, 3));
  EXPECT_FALSE(file.has(3, 1));
  EXPECT_FALSE(file.has(2, 2));
  EXPECT_NE(file.place(1).find("a.tsv, row 2 (line 5)"), std::string::npos) << file.place(1);
}

TEST(TsvFile, KnowsTheLineOfEveryRow) {
  const Folder folder;
  // Rows of one line and of three, ended in three ways, with empty lines between them.
  const std::vector<std::string> kinds{"a\tb\n", "\"a\n\nb\"\tc\n", "a\tb\r\n", "a\tb\r", "\n\r\n", "\"a\"\tb\r\n"};
  std::string text = "x\ty\n";
  std::vector<int64_t> lines;
  for (size_t i = 0; i < 400; ++i) {
    const auto& kind = kinds[(i * 5 + i / 7) % kinds.size()];
    if (kind[0] != '\n') lines.push_back(std::count(text.begin(), text.end(), '\n') + 1);
    text += kind;
  }
  const TsvFile file(folder.write("a.tsv", text));
  ASSERT_EQ(file.size(), std::ssize(lines));
  for (const bool forwards : {true, false}) {
    for (int64_t i = 0; i < file.size(); ++i) {
      const int64_t row = forwards ? i : file.size() - 1 - i;
      EXPECT_EQ(file.place(row), concat(file.path().string(), ", row ", row + 1, " (line ", lines[row], ")"));
    }
  }
}

TEST(TsvFile, RefusesWhatIsNoTable) {
  const Folder folder;
  const auto read = [&](const std::string& text) { TsvFile(folder.write("bad.tsv", text)); };
  EXPECT_ERROR(read(""), "holds no rows");
  EXPECT_ERROR(read("a\tb\n"), "holds no rows");
  EXPECT_ERROR(read("a\tb\ta\n1\t2\t3\n"), "column \"a\" is there twice");
  EXPECT_ERROR(read("a\t\tc\n1\t2\t3\n"), "column 2 has no name");
  EXPECT_ERROR(read("a\tb\n1\t2\n1\t2\t3\n"), "line 3: the row has more than 2 cells");
  EXPECT_ERROR(read("a\tb\n1\t\"open\n2\t3\n"), "line 2: cell 'b' opens a quote that is never closed");
  EXPECT_ERROR(read("a\t\"b\n1\t2\n"), "the header opens a quote that is never closed");
  EXPECT_ERROR(read("a\xFF\tb\n1\t2\n"), "a column's name is no UTF-8");
  EXPECT_ERROR(TsvFile(folder.path() / "none.tsv"), "none.tsv");
}

TEST(TsvFile, TellsWhetherACellIsThereWhateverFollowsIt) {
  const Folder folder;
  const auto one = std::string(16, '"') + "\t";  // seven quotes
  const TsvFile file(folder.write("a.tsv", "a\tb\tc\n" + one + "#N/A N/A\tNULL\n" +
                                               "\"NA\"\t\"NA\nNA\"\t#N/A N/A of them\n" + "x\n" +
                                               "y\t\"-1.#QNAN\"\t\"\""));
  const std::vector<std::vector<bool>> expected{
      {true, false, false}, {false, true, true}, {true, false, false}, {true, false, false}};
  for (int64_t row = 0; row < 4; ++row) {
    for (size_t column = 0; column < 3; ++column) {
      EXPECT_EQ(file.has(row, column), expected[row][column]) << row << " " << column;
      EXPECT_EQ(file.has(row, column), !TsvFile::is_missing(file.cell(row, column))) << row << " " << column;
    }
  }
}

TEST(TsvFile, GivesBackThePagesOfLongRows) {
  const Folder folder;
  constexpr int kRows = 64;
  constexpr size_t kBytes = size_t{1} << 20;
  std::string text = "index\timage\n";
  for (int i = 0; i < kRows; ++i)
    text += std::to_string(i) + "\t" + std::string(kBytes, static_cast<char>('a' + i % 26)) + "\n";
  const TsvFile file(folder.write("a.tsv", text));
  const auto mapped_kib = [] {
    std::ifstream status("/proc/self/status");
    std::string word;
    int64_t kib = -1;
    while (status >> word && word != "RssFile:") continue;
    status >> kib;
    return kib;
  };
  const int64_t before = mapped_kib();
  for (int i = 0; i < kRows; ++i) {
    EXPECT_TRUE(file.has(i, 1));
    EXPECT_EQ(file.row(i, {1}), (Json{{"index", std::to_string(i)}}));
    const auto cell = file.cell(i, 1);
    EXPECT_EQ(cell.size(), kBytes);
    EXPECT_EQ(cell.back(), static_cast<char>('a' + i % 26));
  }
  // Without it all 64 MiB would be there. 8 MiB: what else the test program may touch of its own file.
  EXPECT_LT(mapped_kib() - before, 8 << 10);
}

TEST(TsvFile, RefusesAVeryLongCell) {
  const Folder folder;
  const auto path = folder.write("long.tsv", "a\tb\n1\t" + std::string(TsvFile::kMostCellBytes + 1, 'x') + "\n");
  EXPECT_ERROR(TsvFile{path}, "cell 'b' has 268435457 bytes, expected at most 268435456");
}

}  // namespace
}  // namespace vlsi
