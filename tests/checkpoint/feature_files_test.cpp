// Features of pictures on disk: what is kept comes back, to the last bit, and damage is told from it.
#include "checkpoint/feature_files.h"

#include <fstream>

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
using fixtures::random;

constexpr int64_t kWidth = 8;
const std::string kTower = "0123456789abcdef";

class FilesOfFeatures : public testing::Test {
 protected:
  FeatureFiles open(int64_t shard_bytes = 1 << 20) const {
    return FeatureFiles(folder_.path(), kTower, kWidth, at::kFloat, shard_bytes);
  }
  fs::path shard(int number) const { return folder_.path() / kTower / concat("features-0000", number, ".safetensors"); }
  /// Writes `pictures` pictures, of two patches each, into one shard.
  void keep(uint64_t pictures) const {
    auto files = open();
    for (uint64_t i = 1; i <= pictures; ++i) files.insert(i, random({2, kWidth}, i));
  }

  const Folder folder_;
};

TEST_F(FilesOfFeatures, ComeBackFromMemoryFromThisRunsShardsAndFromAnEarlierRunsShards) {
  {
    auto files = open(/*shard_bytes=*/2 * 3 * kWidth * 4);  // a shard holds two pictures
    for (uint64_t i = 1; i <= 5; ++i) files.insert(i << 40, random({3, kWidth}, i));
    EXPECT_TRUE(fs::exists(shard(1)));
    EXPECT_FALSE(fs::exists(shard(2)));
    for (uint64_t i = 1; i <= 5; ++i) EXPECT_TRUE(files.find(i << 40)->equal(random({3, kWidth}, i)));
    EXPECT_FALSE(files.find(6));
  }
  auto files = open();
  EXPECT_TRUE(fs::exists(shard(2)));
  EXPECT_FALSE(fs::exists(shard(3)));
  for (uint64_t i = 1; i <= 5; ++i) EXPECT_TRUE(files.find(i << 40)->equal(random({3, kWidth}, i)));
  files.insert(6, random({1, kWidth}, 6));
  EXPECT_TRUE(files.find(6)->equal(random({1, kWidth}, 6)));
}

TEST_F(FilesOfFeatures, AreOnlyReadWhereAnotherProcessAddsToThem) {
  keep(2);
  auto first = open();
  {
    auto second = open();
    EXPECT_TRUE(second.find(1)->equal(random({2, kWidth}, 1)));
    second.insert(9, random({2, kWidth}, 9));
    EXPECT_FALSE(second.find(9));
  }
  EXPECT_FALSE(fs::exists(shard(1)));
}

TEST_F(FilesOfFeatures, WithAChangedByteAreAnError) {
  keep(2);
  std::fstream file(shard(0), std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto end = static_cast<int64_t>(file.tellg());
  // The features are the file's last tensor but for the ids, which are empty: the others have wider numbers.
  file.seekp(end - 4);
  file.write("\x7f", 1);
  file.close();
  auto files = open();
  EXPECT_TRUE(files.find(1)->equal(random({2, kWidth}, 1)));
  EXPECT_EQ(message_of([&] { files.find(2); }),
            "reading picture features " + shard(0).string() +
                ": the record of picture number 1 is damaged; remove the file, and its pictures are looked at again");
}

TEST_F(FilesOfFeatures, CutShortAreAnError) {
  keep(2);
  fs::resize_file(shard(0), fs::file_size(shard(0)) - 1);
  EXPECT_NE(message_of([&] { open(); }).find(shard(0).string()), std::string::npos);
}

TEST_F(FilesOfFeatures, OfAnotherTowerDtypeOrWidthAreAnError) {
  keep(2);
  const auto error = [&](const std::string& what) {
    return "reading picture features " + shard(0).string() + ": " + what +
           "; remove the file, and its pictures are looked at again";
  };
  const auto open_as = [&](int64_t width, at::ScalarType dtype) { FeatureFiles(folder_.path(), kTower, width, dtype); };
  EXPECT_EQ(message_of([&] { open_as(kWidth, at::kHalf); }),
            error("tensor features is Float [4, 8], expected Half [-1, 8] (-1: any)"));
  EXPECT_EQ(message_of([&] { open_as(4, at::kFloat); }),
            error("tensor features is Float [4, 8], expected Float [-1, 4] (-1: any)"));
  fs::rename(folder_.path() / kTower, folder_.path() / "fedcba9876543210");
  EXPECT_NE(message_of([&] {
              FeatureFiles(folder_.path(), "fedcba9876543210", kWidth, at::kFloat);
            }).find("it is of another tower than its folder"),
            std::string::npos);
}

}  // namespace
}  // namespace vlsi
