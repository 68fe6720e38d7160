#include "data/mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace vlsi {
namespace {

constexpr double kMaxEpochRecords = 1e9;  // an order takes 16 bytes a record

/// mt19937_64 and seed_seq give the same numbers everywhere, the standard library's distributions do not.
std::mt19937_64 generator(uint64_t seed, int64_t epoch, uint32_t stream) {
  const auto word = [](uint64_t value, int shift) { return static_cast<uint32_t>(value >> shift); };
  const auto turn = static_cast<uint64_t>(epoch);
  std::seed_seq sequence{word(seed, 0), word(seed, 32), word(turn, 0), word(turn, 32), stream};
  return std::mt19937_64(sequence);
}

/// Uniform in [0, bound); draws that would favour small values are drawn again.
uint64_t draw(std::mt19937_64& random, uint64_t bound) {
  const uint64_t highest = std::numeric_limits<uint64_t>::max();
  const uint64_t limit = highest - highest % bound;
  uint64_t value = random();
  while (value >= limit) value = random();
  return value % bound;
}

/// Fisher-Yates from the front: the first `count` places become a random choice in random order.
template <class T>
void shuffle_front(std::vector<T>& values, int64_t count, std::mt19937_64& random) {
  for (int64_t i = 0; i < count; ++i) std::swap(values[i], values[i + draw(random, values.size() - i)]);
}

int64_t records_of(int64_t size, double weight) { return std::llround(static_cast<double>(size) * weight); }

}  // namespace

Mixture::Mixture(const std::vector<DataSource>& sources) {
  if (sources.empty()) fail("data: no files are given, expected at least one");
  const auto cache = std::make_shared<DecodedRowsCache>();
  double total = 0;
  for (const auto& source : sources) {
    const auto name = source.path.string();
    if (!std::isfinite(source.weight) || source.weight <= 0) {
      fail("data: weight of ", name, " is ", source.weight, ", expected a finite number above 0");
    }
    Source added{num_files(), 0, 0, source.weight};
    for (auto& file : open_files(source, cache)) {
      added.num_records += file.size();
      stretches_.push_back(file.stretches());
      source_of_.push_back(num_sources());
      files_.push_back(std::move(file));
    }
    added.end_file = num_files();
    sources_.push_back(added);
    total += static_cast<double>(added.num_records) * source.weight;
    if (total > kMaxEpochRecords) {
      fail("data: with weight ", source.weight, " of ", name, " an epoch has ", total, " records, expected at most ",
           kMaxEpochRecords);
    }
  }
}

int64_t Mixture::size() const {
  int64_t total = 0;
  for (const auto& source : sources_) total += records_of(source.num_records, source.weight);
  return total;
}

void Mixture::check_unchanged() const {
  for (const auto& file : files_) file.check_unchanged();
}

/// `count` records of a source, chosen at random, in their order.
void Mixture::add_part(int32_t source, int64_t count, std::mt19937_64 random, std::vector<Record>& order) const {
  std::vector<int64_t> chosen(sources_[source].num_records);
  std::iota(chosen.begin(), chosen.end(), 0);
  shuffle_front(chosen, count, random);
  std::sort(chosen.begin(), chosen.begin() + count);
  int32_t file = sources_[source].first_file;
  int64_t first = 0;  // of the file, counted in the source
  for (int64_t i = 0; i < count; ++i) {
    while (chosen[i] - first >= files_[file].size()) first += files_[file++].size();
    order.push_back({file, chosen[i] - first});
  }
}

std::vector<Mixture::Record> Mixture::order(uint64_t seed, int64_t epoch, bool shuffle) const {
  std::vector<Record> order;
  order.reserve(size());
  for (int32_t i = 0; i < num_sources(); ++i) {
    const auto& source = sources_[i];
    int64_t left = records_of(source.num_records, source.weight);
    for (; left >= source.num_records; left -= source.num_records) {
      for (int32_t file = source.first_file; file < source.end_file; ++file) {
        for (int64_t record = 0; record < files_[file].size(); ++record) order.push_back({file, record});
      }
    }
    if (left > 0) add_part(i, left, generator(seed, epoch, i), order);
  }
  if (shuffle) {
    auto random = generator(seed, epoch, std::numeric_limits<uint32_t>::max());
    const auto has_stretches = [](const auto& stretches) { return !stretches.empty(); };
    if (std::any_of(stretches_.begin(), stretches_.end(), has_stretches)) {
      shuffle_stretches(order, random);
    } else {
      shuffle_front(order, std::ssize(order), random);
    }
  }
  return order;
}

void Mixture::shuffle_stretches(std::vector<Record>& order, std::mt19937_64& random) const {
  struct Run {
    int64_t begin, end, num_bytes;  // records in `order`
  };
  std::vector<Run> runs;
  const int64_t num_records = std::ssize(order);
  for (int64_t begin = 0, end = 0; begin < num_records; begin = end) {
    const auto [file, first] = order[begin];
    const auto& stretches = stretches_[file];
    const auto stretch = std::upper_bound(stretches.begin(), stretches.end(), first,
                                          [](int64_t record, const auto& one) { return record < one.end; });
    end = begin + 1;
    while (stretch != stretches.end() && end < num_records && order[end].file == file &&
           order[end].record < stretch->end && order[end].record > order[end - 1].record) {
      ++end;
    }
    runs.push_back({begin, end, stretch == stretches.end() ? 0 : stretch->num_bytes});
  }
  shuffle_front(runs, std::ssize(runs), random);
  std::vector<Record> result, reach;
  result.reserve(order.size());
  int64_t num_bytes = 0;
  const auto mix = [&] {
    shuffle_front(reach, std::ssize(reach), random);
    result.insert(result.end(), reach.begin(), reach.end());
    reach.clear();
    num_bytes = 0;
  };
  for (const auto& run : runs) {
    if (num_bytes > 0 && num_bytes + run.num_bytes > kMixedBytes) mix();
    reach.insert(reach.end(), order.begin() + run.begin, order.begin() + run.end);
    num_bytes += run.num_bytes;
  }
  mix();
  order = std::move(result);
}

}  // namespace vlsi
