// The lens in a terminal.
#include "lens/lens_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vlsi {
namespace {

class LensTable : public testing::Test {
 protected:
  LensTable() : tokenizer_(Tokenizer::load(VLSI_TEST_DATA "/tiny/tokenizer")) {}

  LensReading reading(size_t num_tokens) const {
    LensReading reading;
    reading.answer.assign(num_tokens, id("r"));
    reading.stopped = true;
    for (const int64_t layer : {2, 5}) {
      LayerReading row{layer, {}};
      for (size_t n = 0; n <= num_tokens; ++n) row.positions.push_back({{id("e"), 0.25}});
      reading.layers.push_back(row);
    }
    reading.layers.back().positions[0] = {{id("r"), 0.999}};
    return reading;
  }
  int32_t id(const std::string& text) const { return tokenizer_.encode(text).front(); }

  Tokenizer tokenizer_;
};

TEST_F(LensTable, PutsTheOutputOnTopAndNamesTheAnswer) {
  EXPECT_EQ(lens_table(reading(1), tokenizer_, {}),
            "answer   r        (end)\n"
            "output   r 100 %  e 25 %\n"
            "layer 2  e 25 %   e 25 %\n");
}

TEST_F(LensTable, CutsALongAnswerIntoBlocksThatFit) {
  const auto table = lens_table(reading(9), tokenizer_, {.width = 40});
  size_t begin = 0;
  int num_blocks = 1, cells = 0;
  for (size_t end; (end = table.find('\n', begin)) != table.npos; begin = end + 1) {
    const auto line = table.substr(begin, end - begin);
    EXPECT_LE(line.size(), 40U) << line;
    num_blocks += line.empty();
    if (line.starts_with("layer 2")) cells += static_cast<int>(std::count(line.begin(), line.end(), '%'));
  }
  EXPECT_GT(num_blocks, 1);
  EXPECT_EQ(cells, 10);
}

TEST_F(LensTable, HasColoursOnlyWhereAskedFor) {
  const auto plain = lens_table(reading(1), tokenizer_, {}),
             coloured = lens_table(reading(1), tokenizer_, {.colour = true});
  EXPECT_EQ(plain.find('\x1b'), std::string::npos);
  EXPECT_NE(coloured.find("\x1b[48;5;220;38;5;16mr 100 %\x1b[0m"), std::string::npos) << coloured;
  EXPECT_NE(coloured.find("\x1b[48;5;24;38;5;255me 25 %"), std::string::npos) << coloured;
}

TEST(TerminalText, StartsNoEscape) {
  EXPECT_EQ(terminal_text("a b\n"), "a␣b⏎");
  EXPECT_EQ(terminal_text("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
  EXPECT_EQ(terminal_text("\xc2\x9b"), "\\xc2\\x9b") << "the one-character form of the escape";
  EXPECT_EQ(terminal_text("é中\xff"), "é中\\xff");
}

}  // namespace
}  // namespace vlsi
