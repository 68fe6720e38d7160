// Which teacher layer each student layer was matched with, over the course of the interaction.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"

namespace vlsi {

/// Counts of matched pairs and means of the matrices over all pairs, in stretches of equally many iterations. Memory
/// does not grow with the number of iterations: at most 24 stretches, joined two by two when more would be needed.
class MatchHistory {
 public:
  using Pair = std::pair<int64_t, int64_t>;  // student layer, teacher layer, counted from 1
  using Matrix = std::vector<std::vector<std::optional<double>>>;

  /// What one iteration logged; all but the iteration may be empty.
  struct Entry {
    int64_t iteration = 0;
    std::vector<Pair> matches;
    Matrix weights;  // [t_s][t_l], the probability of each pair where none was chosen
    Matrix losses;   // [t_s][t_l], of every pair
  };
  void add(const Entry& entry);

  bool empty() const { return stretches_.empty(); }

  /// {"student_layers", "teacher_layers", "stretches": [{"first", "last", "counts", "weights", "losses"}]}, matrices
  /// [t_s][t_l]. The layers are those given and all that were matched, ascending. `weights` and `losses` are means over
  /// the stretch, null where nothing was logged or where their shape is not that of the layers.
  OrderedJson to_json(const std::vector<int64_t>& student_layers, const std::vector<int64_t>& teacher_layers) const;

 private:
  /// A mean in the making, place by place.
  class MeanMatrix {
   public:
    void add(const Matrix& values);
    void add(const MeanMatrix& other);
    OrderedJson to_json(size_t num_rows, size_t num_columns) const;

   private:
    std::vector<std::vector<std::pair<double, int64_t>>> sums_;  // sum and count of each place
  };
  struct Stretch {
    int64_t first = 0, last = 0, num_iterations = 0;
    std::map<Pair, int64_t> counts;
    MeanMatrix weights, losses;

    void add(const Stretch& next);
  };

  int64_t width_ = 1;  // iterations of a full stretch
  std::vector<Stretch> stretches_;
};

}  // namespace vlsi
