// The options of a multiple-choice question, by their letters.
#pragma once

#include <vector>

#include "text/python/python_text.h"

namespace vlsi {

struct Option {
  Text label;  // "A", "B", … (or what a data file calls it)
  Text text;
};

/// In the order of the question.
using Options = std::vector<Option>;

/// A, B, … with these texts; at most 26.
Options make_options(const std::vector<Text>& texts);

/// The one whose label this is, or null.
const Option* find_option(const Options& options, TextView label);

}  // namespace vlsi
