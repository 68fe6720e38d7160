#include "report/match_history.h"

#include <algorithm>
#include <set>

#include "report/curve.h"

namespace vlsi {
namespace {

constexpr size_t kMaxStretches = 24;

/// Grows a matrix to the shape of another; new places are zero.
template <class T, class Other>
void grow_to(std::vector<std::vector<T>>& matrix, const std::vector<std::vector<Other>>& other) {
  if (matrix.size() < other.size()) matrix.resize(other.size());
  for (size_t row = 0; row < other.size(); ++row) {
    if (matrix[row].size() < other[row].size()) matrix[row].resize(other[row].size());
  }
}

}  // namespace

void MatchHistory::MeanMatrix::add(const Matrix& values) {
  grow_to(sums_, values);
  for (size_t row = 0; row < values.size(); ++row) {
    for (size_t column = 0; column < values[row].size(); ++column) {
      if (!values[row][column]) continue;
      sums_[row][column].first += *values[row][column];
      ++sums_[row][column].second;
    }
  }
}

void MatchHistory::MeanMatrix::add(const MeanMatrix& other) {
  grow_to(sums_, other.sums_);
  for (size_t row = 0; row < other.sums_.size(); ++row) {
    for (size_t column = 0; column < other.sums_[row].size(); ++column) {
      sums_[row][column].first += other.sums_[row][column].first;
      sums_[row][column].second += other.sums_[row][column].second;
    }
  }
}

OrderedJson MatchHistory::MeanMatrix::to_json(size_t num_rows, size_t num_columns) const {
  const auto fits = [&](const auto& row) { return row.size() == num_columns; };
  if (sums_.empty() || sums_.size() != num_rows || !std::all_of(sums_.begin(), sums_.end(), fits)) return nullptr;
  OrderedJson rows = OrderedJson::array();
  for (const auto& row : sums_) {
    OrderedJson values = OrderedJson::array();
    for (const auto& [sum, count] : row) {
      values.push_back(count > 0 ? OrderedJson(shortened(sum / static_cast<double>(count))) : OrderedJson(nullptr));
    }
    rows.push_back(std::move(values));
  }
  return rows;
}

void MatchHistory::Stretch::add(const Stretch& next) {
  last = next.last;
  num_iterations += next.num_iterations;
  for (const auto& [pair, count] : next.counts) counts[pair] += count;
  weights.add(next.weights);
  losses.add(next.losses);
}

void MatchHistory::add(const Entry& entry) {
  if (stretches_.empty() || stretches_.back().num_iterations == width_) {
    if (stretches_.size() == kMaxStretches) {
      for (size_t i = 0; i < kMaxStretches; i += 2) {
        Stretch joined = std::move(stretches_[i]);
        joined.add(stretches_[i + 1]);
        stretches_[i / 2] = std::move(joined);
      }
      stretches_.resize(kMaxStretches / 2);
      width_ *= 2;
    }
    stretches_.emplace_back();
    stretches_.back().first = entry.iteration;
  }
  auto& stretch = stretches_.back();
  stretch.last = entry.iteration;
  ++stretch.num_iterations;
  for (const auto& match : entry.matches) ++stretch.counts[match];
  stretch.weights.add(entry.weights);
  stretch.losses.add(entry.losses);
}

OrderedJson MatchHistory::to_json(const std::vector<int64_t>& student_layers,
                                  const std::vector<int64_t>& teacher_layers) const {
  std::set<int64_t> students(student_layers.begin(), student_layers.end()),
      teachers(teacher_layers.begin(), teacher_layers.end());
  for (const auto& stretch : stretches_) {
    for (const auto& [pair, count] : stretch.counts) {
      students.insert(pair.first);
      teachers.insert(pair.second);
    }
  }
  // Matrices are in the order of the given layers; beside others their rows would have other meanings.
  const bool layers_are_known = students.size() == student_layers.size() && teachers.size() == teacher_layers.size();
  const auto matrix_json = [&](const MeanMatrix& matrix) {
    return layers_are_known ? matrix.to_json(students.size(), teachers.size()) : OrderedJson(nullptr);
  };
  OrderedJson stretches = OrderedJson::array();
  for (const auto& stretch : stretches_) {
    OrderedJson counts = OrderedJson::array();
    for (const int64_t student : students) {
      OrderedJson row = OrderedJson::array();
      for (const int64_t teacher : teachers) {
        const auto found = stretch.counts.find({student, teacher});
        row.push_back(found == stretch.counts.end() ? 0 : found->second);
      }
      counts.push_back(std::move(row));
    }
    stretches.push_back({{"first", stretch.first},
                         {"last", stretch.last},
                         {"counts", std::move(counts)},
                         {"weights", matrix_json(stretch.weights)},
                         {"losses", matrix_json(stretch.losses)}});
  }
  return {{"student_layers", students}, {"teacher_layers", teachers}, {"stretches", std::move(stretches)}};
}

}  // namespace vlsi
