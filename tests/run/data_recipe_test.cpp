// The paper's mixture as a configuration, against the paper's list.
#include <gtest/gtest.h>

#include <map>

#include "data/keep.h"
#include "run/config.h"

namespace vlsi {
namespace data_recipe_test {
namespace {

/// Thousands of samples, as section 4.1 (d) lists them.
const std::map<std::string, int64_t> kThousands{
    {"ShareGPT4o-Images", 57}, {"ShareGPT4V", 755}, {"ALLaVA", 548},   {"MiniGemini", 27},    {"LLaVA-HD", 116},
    {"mPLUG-DocOwl1.5", 599},  {"GLLaVA", 177},     {"MathVision", 3}, {"MathInstruct", 262}, {"MathPlus", 304}};

TEST(DataRecipe, HasThePapersSources) {
  const auto config = load_run_config(VLSI_SOURCE_DIR "/runs/data/vlsi-2.9m.yaml", {});
  std::map<std::string, int64_t> found;
  int64_t total = 0;
  for (const auto& source : config.data.train) {
    SCOPED_TRACE(source.name);
    EXPECT_FALSE(source.path.empty());
    EXPECT_NO_THROW(Keep{source.keep});
    EXPECT_GT(source.num_records, 0);
    found[source.name.substr(0, source.name.find(':'))] += source.num_records;
    total += source.num_records;
  }
  ASSERT_EQ(found.size(), kThousands.size());
  for (const auto& [name, thousands] : kThousands) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(found.contains(name));
    // The paper leaves out the hundreds, of each part of a source before it adds them.
    EXPECT_GE(found.at(name), thousands * 1000);
    EXPECT_LT(found.at(name), thousands * 1000 + 2000);
  }
  EXPECT_EQ(total, 2'852'771);
}

}  // namespace
}  // namespace data_recipe_test
}  // namespace vlsi
