// A lens reading as a table for a terminal.
#pragma once

#include <string>

#include "lens/lens.h"

namespace vlsi {

struct TableStyle {
  bool colour = false;  // cells coloured by probability, with ANSI escapes
  int width = 100;      // columns of the terminal; a longer answer is cut into blocks
};

/// One row a layer, the model's own output on top, one column an answer position: the most probable token and its
/// probability in percent. The first row names the answer's tokens. Ends with a newline.
std::string lens_table(const LensReading& reading, const Tokenizer& tokenizer, const TableStyle& style);

/// Text that moves no cursor and starts no escape: blanks and line ends as signs, other control characters as \xNN.
std::string terminal_text(const std::string& text);

}  // namespace vlsi
