#include "data/mixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "tests/data/data_files.h"
#include "tests/data/tar_writer.h"

namespace vlsi {
namespace mixture_test {
namespace {

/// `count` records in a file of one line each.
std::filesystem::path lines(const Folder& folder, const std::string& name, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += record(std::to_string(i)) + "\n";
  return folder.write(name, text);
}

std::vector<std::pair<int32_t, int64_t>> order_of(const Mixture& mixture, uint64_t seed, int64_t epoch,
                                                  bool shuffle = true) {
  std::vector<std::pair<int32_t, int64_t>> result;
  for (const auto& record : mixture.order(seed, epoch, shuffle)) result.emplace_back(record.file, record.record);
  EXPECT_EQ(std::ssize(result), mixture.size());
  return result;
}

TEST(Mixture, GivesEveryRecordItsWeight) {
  const Folder folder;
  const Mixture mixture(
      {{lines(folder, "a", 40), {}, 1.0}, {lines(folder, "b", 30), {}, 2.5}, {lines(folder, "c", 20), {}, 0.25}});
  EXPECT_EQ(mixture.size(), 40 + 75 + 5);
  std::map<int32_t, std::map<int64_t, int>> counts;
  for (const auto& [file, record] : order_of(mixture, 1, 0)) counts[file][record] += 1;
  EXPECT_EQ(counts[0].size(), 40u);
  for (const auto& [record, count] : counts[0]) EXPECT_EQ(count, 1);
  EXPECT_EQ(counts[1].size(), 30u);
  int num_three = 0;
  for (const auto& [record, count] : counts[1]) {
    EXPECT_TRUE(count == 2 || count == 3);
    num_three += count == 3;
  }
  EXPECT_EQ(num_three, 15);
  EXPECT_EQ(counts[2].size(), 5u);
}

TEST(Mixture, OrdersAnEpochBySeedAndEpochAlone) {
  const Folder folder;
  const Mixture mixture({{lines(folder, "a", 50), {}, 1.0}, {lines(folder, "b", 50), {}, 0.5}});
  EXPECT_EQ(order_of(mixture, 7, 3), order_of(mixture, 7, 3));
  EXPECT_NE(order_of(mixture, 7, 3), order_of(mixture, 7, 4));
  EXPECT_NE(order_of(mixture, 7, 3), order_of(mixture, 8, 3));
  EXPECT_NE(order_of(mixture, 7, 0), order_of(mixture, 7 + (uint64_t{1} << 32), 0));
}

TEST(Mixture, KeepsTheFilesOrderWithoutShuffle) {
  const Folder folder;
  const Mixture mixture({{lines(folder, "a", 3), {}, 2.0}, {lines(folder, "b", 10), {}, 0.5}});
  const auto order = order_of(mixture, 1, 0, false);
  const std::vector<std::pair<int32_t, int64_t>> first{{0, 0}, {0, 1}, {0, 2}, {0, 0}, {0, 1}, {0, 2}};
  ASSERT_EQ(order.size(), 11u);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), order.begin()));
  EXPECT_TRUE(std::is_sorted(order.begin() + 6, order.end()));
  EXPECT_EQ(std::set(order.begin() + 6, order.end()).size(), 5u);
  EXPECT_NE(order, order_of(mixture, 1, 1, false));
}

TEST(Mixture, ShufflesEvenly) {
  const Folder folder;
  const Mixture mixture({{lines(folder, "a", 4), {}, 1.0}});
  constexpr int kNumEpochs = 4000;
  double counts[4][4] = {};
  for (int64_t epoch = 0; epoch < kNumEpochs; ++epoch) {
    const auto order = mixture.order(5, epoch, true);
    for (int place = 0; place < 4; ++place) counts[place][order[place].record] += 1;
  }
  // Binomial with p = 1/4: standard deviation 27; five of them for 16 counts.
  for (const auto& row : counts) {
    for (const double count : row) EXPECT_NEAR(count, kNumEpochs / 4.0, 137);
  }
}

TEST(Mixture, RefusesWeightsThatAreNoneAndNoFiles) {
  const Folder folder;
  const auto path = lines(folder, "a", 2);
  for (const double weight : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_ERROR(Mixture({{path, {}, weight}}), "expected a finite number above 0");
  }
  EXPECT_ERROR(Mixture({{path, {}, 1e300}}), "expected at most 1e+09");
  EXPECT_ERROR(Mixture({}), "no files are given");
}

TEST(Mixture, TakesTheFilesOfASourceForOne) {
  const Folder folder;
  for (int i = 0; i < 10; ++i) lines(folder, "d/" + std::to_string(i) + ".jsonl", 1 + i % 2);
  lines(folder, "other", 4);
  const Mixture mixture({{folder / "d", {}, 0.4}, {folder / "other", {}, 1}});
  EXPECT_EQ(mixture.num_sources(), 2);
  EXPECT_EQ(mixture.num_files(), 11);
  EXPECT_EQ(mixture.source_of(9), 0);
  EXPECT_EQ(mixture.source_of(10), 1);
  EXPECT_EQ(mixture.size(), 6 + 4);  // of 15 records
  std::map<std::pair<int32_t, int64_t>, int> counts;
  for (int64_t epoch = 0; epoch < 50; ++epoch) {
    const auto order = order_of(mixture, 1, epoch);
    EXPECT_EQ(std::set(order.begin(), order.end()).size(), 10u);
    for (const auto& one : order) ++counts[one];
  }
  EXPECT_EQ(counts.size(), 19u);
  // 0.4 of 50 epochs: standard deviation 3.5, five of them.
  for (const auto& [one, count] : counts) EXPECT_NEAR(count, one.first == 10 ? 50 : 20, one.first == 10 ? 0 : 17);
}

TEST(Mixture, SaysThatAFileHasChanged) {
  const Folder folder;
  const auto path = folder.write("a.tar", tar_of({{"0.txt", "a"}}));
  const Mixture mixture({{path, {}, 1}});
  EXPECT_NO_THROW(mixture.check_unchanged());
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
  EXPECT_ERROR(mixture.check_unchanged(), path.string() + " has changed since it was opened");
  std::filesystem::remove(path);
  EXPECT_ERROR(mixture.check_unchanged(), "has changed since it was opened");
}

}  // namespace
}  // namespace mixture_test
}  // namespace vlsi
