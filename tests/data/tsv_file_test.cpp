// Tables as pandas reads them, and what no table is.
#include "data/tsv_file.h"

#include <gtest/gtest.h>

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

TEST(TsvFile, RefusesAVeryLongCell) {
  const Folder folder;
  const auto path = folder.write("long.tsv", "a\tb\n1\t" + std::string(TsvFile::kMostCellBytes + 1, 'x') + "\n");
  EXPECT_ERROR(TsvFile{path}, "cell 'b' has 268435457 bytes, expected at most 268435456");
}

}  // namespace
}  // namespace vlsi
