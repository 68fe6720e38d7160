#include "data/recent_pictures.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "tests/support/files.h"

namespace vlsi::recent_pictures_test {
namespace {

Content file_picture(const std::filesystem::path& path) { return {Content::Kind::kImage, {}, path}; }

class RecentPicturesTest : public testing::Test {
 protected:
  /// Patches of 4,000 bytes that say how often a picture was read.
  PicturePatches ask(const Content& content, size_t num_pictures = 1) {
    return recent_.of(content, num_pictures, [&] {
      return PicturePatches{at::full({10, 100}, static_cast<double>(++num_reads_)), {10, 10, {}}};
    });
  }

  Folder folder_;
  RecentPictures recent_{10'000};
  int num_reads_ = 0;
};

TEST_F(RecentPicturesTest, ReadsAPictureOnceForQuestionsThatFollowEachOther) {
  const auto a = file_picture(folder_.write("a.png", "a")), b = file_picture(folder_.write("b.png", "b"));
  EXPECT_EQ(ask(a).rows.mean().item<float>(), 1);
  EXPECT_EQ(ask(b).rows.mean().item<float>(), 2);
  EXPECT_EQ(ask(a).rows.mean().item<float>(), 1);
  EXPECT_EQ(ask(a).shape.num_rows, 10);
  EXPECT_EQ(num_reads_, 2);
}

TEST_F(RecentPicturesTest, ForgetsTheOneThatWasNotUsedForLongest) {
  const auto a = file_picture(folder_.write("a.png", "a")), b = file_picture(folder_.write("b.png", "b")),
             c = file_picture(folder_.write("c.png", "c"));
  ask(a);
  ask(b);
  ask(a);
  ask(c);  // there is room for two
  ask(a);
  EXPECT_EQ(num_reads_, 3);
  ask(b);
  EXPECT_EQ(num_reads_, 4);
}

TEST_F(RecentPicturesTest, ReadsAChangedFileAndOtherSettingsAnew) {
  auto a = file_picture(folder_.write("a.png", "a"));
  ask(a);
  ask(a, 2);
  EXPECT_EQ(num_reads_, 2);
  folder_.write("a.png", "longer");
  ask(a);
  EXPECT_EQ(num_reads_, 3);
  a.limits.max_pixels = 784;
  ask(a);
  EXPECT_EQ(num_reads_, 4);
}

TEST_F(RecentPicturesTest, KeepsNoPictureThatIsTooLargeNorOneThatTheRecordHolds) {
  RecentPictures small(3'999);
  const auto a = file_picture(folder_.write("a.png", "a"));
  auto held = a;
  held.picture_file = "bytes";
  int num_reads = 0;
  const auto read = [&] {
    ++num_reads;
    return PicturePatches{at::full({10, 100}, 1.0), {10, 10, {}}};
  };
  small.of(a, 1, read);
  small.of(a, 1, read);
  EXPECT_EQ(num_reads, 2);
  ask(held);
  ask(held);
  EXPECT_EQ(num_reads_, 2);
}

}  // namespace
}  // namespace vlsi::recent_pictures_test
