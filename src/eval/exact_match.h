// Exact-match accuracy, over all questions and per category.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"

namespace vlsi {

struct Tally {
  int64_t right = 0, total = 0;
  double accuracy() const { return total == 0 ? 0 : static_cast<double>(right) / static_cast<double>(total); }
};

class ExactMatch {
 public:
  /// Whether `answer` is `expected`, both without white space around them; case counts.
  static bool is_right(std::string_view answer, std::string_view expected);

  void add(const std::string& category, bool right);
  const Tally& overall() const { return overall_; }
  const std::map<std::string, Tally>& by_category() const { return by_category_; }

 private:
  Tally overall_;
  std::map<std::string, Tally> by_category_;
};

/// {"accuracy", "right", "total", "categories": {name: {"accuracy", "right", "total"}}}; a category without a name is
/// left out.
OrderedJson to_json(const ExactMatch& match);
/// The same as lines, the first of which is called `name`.
std::string to_text(const ExactMatch& match, const std::string& name);

}  // namespace vlsi
