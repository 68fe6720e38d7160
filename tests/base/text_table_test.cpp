#include "base/text_table.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace {

TEST(TextTable, AlignsTheFirstColumnToTheLeftAndOthersToTheRight) {
  EXPECT_EQ(aligned_lines({{"name", "score", "n"}, {"a", "7", ""}, {"longer", "-", "12345"}}),
            (std::vector<std::string>{"name    score      n",  //
                                      "a           7       ",  //
                                      "longer      -  12345"}));
}

TEST(TextTable, CountsColumnsOfATerminalAndNotBytes) {
  EXPECT_EQ(aligned_lines({{"Bücher", "1.5 ± 0.1"}, {"图书", "2"}, {"books", "äöü"}}),
            (std::vector<std::string>{"Bücher  1.5 ± 0.1",  //
                                      "图书            2",  //
                                      "books         äöü"}));
  EXPECT_EQ(terminal_width("a\xff"), 2);
}

}  // namespace
}  // namespace vlsi
