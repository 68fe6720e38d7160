// What POPE reports of yes-or-no answers.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace vlsi {

/// Counts with yes as what is looked for.
struct PopeSums {
  double true_yes = 0, false_yes = 0, false_no = 0, true_no = 0;

  double total() const { return true_yes + false_yes + false_no + true_no; }
  double accuracy() const { return share(true_yes + true_no, total()); }
  double precision() const { return share(true_yes, true_yes + false_yes); }
  double recall() const { return share(true_yes, true_yes + false_no); }
  double f1() const {
    const double p = precision(), r = recall();
    return share(2 * (p * r), p + r);
  }
  /// Of the answers.
  double yes_ratio() const { return share(true_yes + false_yes, total()); }

 private:
  static double share(double part, double whole) { return whole == 0 ? 0 : part / whole; }
};

/// Of pairs: whether the gold is yes, whether the answer is.
inline PopeSums pope_sums(std::span<const std::pair<bool, bool>> answers) {
  PopeSums sums;
  for (const auto& [gold, given] : answers) {
    ++(gold ? given ? sums.true_yes : sums.false_no : given ? sums.false_yes : sums.true_no);
  }
  return sums;
}

}  // namespace vlsi
