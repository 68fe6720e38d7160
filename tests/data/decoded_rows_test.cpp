// The cache of decoded rows.
#include "data/decoded_rows.h"

#include <gtest/gtest.h>

namespace vlsi {
namespace decoded_rows_test {
namespace {

struct Rows : DecodedRows {
  Rows(int64_t first_row, int64_t end_row, int64_t bytes) { first = first_row, end = end_row, num_bytes = bytes; }
  void add_values(int64_t, Json&) const override {}
};

TEST(DecodedRowsCache, FindsTheRowsThatHaveARow) {
  DecodedRowsCache cache(100);
  const auto file = cache.new_file(), other = cache.new_file();
  EXPECT_NE(file, other);
  const auto low = std::make_shared<Rows>(0, 4, 1), high = std::make_shared<Rows>(6, 9, 1);
  cache.add({file, 0, 0}, low);
  cache.add({file, 0, 0}, high);
  EXPECT_EQ(cache.find({file, 0, 0}, 0), low);
  EXPECT_EQ(cache.find({file, 0, 0}, 3), low);
  EXPECT_EQ(cache.find({file, 0, 0}, 4), nullptr);
  EXPECT_EQ(cache.find({file, 0, 0}, 8), high);
  EXPECT_EQ(cache.find({file, 0, 0}, 9), nullptr);
  for (const auto& key : {DecodedRowsCache::Key{file, 0, 1}, {file, 1, 0}, {other, 0, 0}}) {
    EXPECT_EQ(cache.find(key, 1), nullptr);
  }
}

TEST(DecodedRowsCache, DropsWhatWasUsedLongestAgo) {
  DecodedRowsCache cache(10);
  const auto file = cache.new_file(), other = cache.new_file();
  cache.add({file, 0, 0}, std::make_shared<Rows>(0, 1, 4));
  cache.add({file, 0, 0}, std::make_shared<Rows>(1, 2, 4));
  EXPECT_NE(cache.find({file, 0, 0}, 0), nullptr);
  cache.add({other, 0, 0}, std::make_shared<Rows>(0, 1, 4));
  EXPECT_NE(cache.find({file, 0, 0}, 0), nullptr);
  EXPECT_EQ(cache.find({file, 0, 0}, 1), nullptr);
  cache.forget(file);
  EXPECT_EQ(cache.find({file, 0, 0}, 0), nullptr);
  EXPECT_NE(cache.find({other, 0, 0}, 0), nullptr);
  cache.add({file, 0, 0}, std::make_shared<Rows>(0, 1, 40));  // more than there is room for
  EXPECT_NE(cache.find({file, 0, 0}, 0), nullptr);
  EXPECT_EQ(cache.find({other, 0, 0}, 0), nullptr);
}

}  // namespace
}  // namespace decoded_rows_test
}  // namespace vlsi
