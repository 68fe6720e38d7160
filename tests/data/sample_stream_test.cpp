#include "data/sample_stream.h"

#include <gtest/gtest.h>

#include "tests/data/data_files.h"
#include "tests/data/outlining_processor.h"

namespace vlsi {
namespace {

class SampleStreamTest : public testing::Test {
 protected:
  SampleStreamTest() {
    for (const char* name : {"good.png", "broken.png"}) folder_.write(name, "");
  }
  Mixture mixture_of(const std::string& text) const { return Mixture({{folder_.write("data.jsonl", text), {}, 1}}); }

  const Folder folder_;
};

LoaderConfig of_others() {
  LoaderConfig config;
  config.shuffle = false;
  config.share = {nullptr, 2, 0, 1};
  return config;
}

TEST_F(SampleStreamTest, GivesEveryRecordInItsTurn) {
  const auto mixture = mixture_of(record("3") + "\nbroken\n" + record("4") + "\n");
  const FakeProcessor processor;
  LoaderConfig config;
  config.shuffle = false;
  SampleStream stream(mixture, processor, config, {0, 1});
  const auto bad = stream.next();
  EXPECT_NE(bad.error, "");
  EXPECT_EQ(bad.at, (Cursor{0, 1}));
  EXPECT_EQ(lengths_of(stream.next().sample).longer(), 4);
  const auto again = stream.next();
  EXPECT_EQ(again.at, (Cursor{1, 0})) << "epoch after epoch";
  EXPECT_EQ(lengths_of(again.sample).own, 3);
}

TEST_F(SampleStreamTest, FillsTheOutlinesOfAShare) {
  const auto mixture = mixture_of(record("3", R"("image": "good.png",)") + "\n" +
                                  record("4", R"("image": "broken.png",)") + "\n" + record("5") + "\n");
  const OutliningProcessor processor;
  auto config = of_others();
  std::atomic<int> num_announced = 0;
  config.announce = [&](const Sample&) { ++num_announced; };
  SampleStream stream(mixture, processor, config, {});
  auto good = stream.next(), broken = stream.next(), text = stream.next();
  EXPECT_EQ(processor.num_read + num_announced, 0);
  for (auto* outline : {&good, &broken, &text}) {
    EXPECT_EQ(outline->error, "");
    EXPECT_FALSE(outline->is_filled);
    stream.fill(*outline);
    EXPECT_TRUE(outline->is_filled);
  }
  EXPECT_TRUE(good.sample.own.images.at(0).rows.defined());
  EXPECT_NE(broken.error.find("record 2 (line 2): cannot read picture broken.png"), std::string::npos) << broken.error;
  EXPECT_TRUE(broken.sample.own.tokens.empty());
  EXPECT_EQ(processor.num_read, 2);
  EXPECT_EQ(num_announced, 2);
}

}  // namespace
}  // namespace vlsi
