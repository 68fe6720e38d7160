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
  fs::path shard(int number) const {
    return folder_.path() / kTower / concat("features-00000", number, ".safetensors");
  }
  /// Writes `pictures` pictures, of two patches each, into one shard.
  void keep(uint64_t pictures) const {
    auto files = open();
    for (uint64_t i = 1; i <= pictures; ++i) files.insert(i, random({2, kWidth}, i));
  }
  void write(const NamedTensors& tensors, const std::string& tower = kTower) const {
    fs::create_directories(shard(1).parent_path());
    write_safetensors(shard(1), tensors, {{"tower", tower}});
  }

  const Folder folder_;
};

TEST_F(FilesOfFeatures, ComeBackFromMemoryFromThisRunsShardsAndFromAnEarlierRunsShards) {
  {
    auto files = open(/*shard_bytes=*/2 * 3 * kWidth * 4);  // a shard holds two pictures
    for (uint64_t i = 1; i <= 5; ++i) files.insert(i << 40, random({3, kWidth}, i));
    EXPECT_TRUE(fs::exists(shard(2)));
    EXPECT_FALSE(fs::exists(shard(3)));
    for (uint64_t i = 1; i <= 5; ++i) EXPECT_TRUE(files.find(i << 40)->equal(random({3, kWidth}, i)));
    EXPECT_FALSE(files.find(6));
  }
  auto files = open();
  EXPECT_EQ(files.num_pictures(), 5);
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
  EXPECT_FALSE(fs::exists(shard(2)));
}

TEST_F(FilesOfFeatures, WithAChangedByteAreAnError) {
  keep(2);
  std::fstream file(shard(1), std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto end = static_cast<int64_t>(file.tellg());
  // The features are the file's last tensor: the others have wider numbers.
  file.seekp(end - 4);
  file.write("\x7f", 1);
  file.close();
  auto files = open();
  EXPECT_TRUE(files.find(1)->equal(random({2, kWidth}, 1)));
  EXPECT_EQ(message_of([&] { files.find(2); }),
            "reading picture features " + shard(1).string() +
                ": record 1 does not have its checksum; remove the file, and its pictures are looked at again");
}

TEST_F(FilesOfFeatures, CutShortAreAnError) {
  keep(2);
  fs::resize_file(shard(1), fs::file_size(shard(1)) - 1);
  EXPECT_NE(message_of([&] { open(); }).find(shard(1).string()), std::string::npos);
}

TEST_F(FilesOfFeatures, OfOtherShapesAreAnError) {
  const auto ids = at::zeros({1}, at::kUInt64), starts = at::tensor({0, 2}, at::kLong);
  const auto error = [&](const std::string& what) {
    return "reading picture features " + shard(1).string() + ": " + what +
           "; remove the file, and its pictures are looked at again";
  };
  const auto features = random({2, kWidth}, 1);
  write({{"features", features}, {"pictures", ids}, {"checksums", ids}});
  EXPECT_EQ(message_of([&] { open(); }), error("tensor 'starts' is missing"));
  write({{"features", features.to(at::kHalf)}, {"pictures", ids}, {"checksums", ids}, {"starts", starts}});
  EXPECT_EQ(message_of([&] { open(); }), error("tensor 'features' is Half [2, 8], expected Float in 2 dimensions"));
  write({{"features", features}, {"pictures", ids}, {"checksums", ids}, {"starts", starts}}, "another");
  EXPECT_EQ(message_of([&] { open(); }), error("it is of tower another, expected tower " + kTower));
  for (const auto& bad :
       {at::tensor({0, 3}, at::kLong), at::tensor({1, 2}, at::kLong), at::tensor({0, 1, 2}, at::kLong)}) {
    write({{"features", features}, {"pictures", ids}, {"checksums", ids}, {"starts", bad}});
    EXPECT_EQ(message_of([&] { open(); }), error("its tensors contradict one another"));
  }
  write({{"features", features.narrow(1, 0, 4)}, {"pictures", ids}, {"checksums", ids}, {"starts", starts}});
  EXPECT_EQ(message_of([&] { open(); }), error("its tensors contradict one another"));
}

}  // namespace
}  // namespace vlsi
