// The files of a cache, and how they may be broken.
#include "teacher/cache_format.h"

#include <ATen/ATen.h>

#include <cstring>

#include "tests/teacher/cache_fixture.h"

namespace vlsi {
namespace {

using namespace cache_fixture;

TEST(CacheDescription, ComesBackAsItWasWritten) {
  const Folder folder;
  CacheDescription description{pair().origin(), true, 3, 20, 100};
  write_description(folder.path(), description);
  const auto found = read_description(folder.path());
  EXPECT_EQ(differences(found.origin, description.origin, /*any_layers=*/false), "");
  EXPECT_TRUE(found.complete);
  EXPECT_EQ(found.num_shards, 3);
  EXPECT_EQ(found.num_samples, 20);
  EXPECT_EQ(found.num_positions, 100);
}

TEST(CacheDescription, RefusesWhatNoCacheSays) {
  const Folder folder;
  expect_error([&] { read_description(folder.path()); },
               {folder.path().string(), "no cache.json", "vlsi cache RUN.yaml"});
  write_description(folder.path(), {pair().origin()});
  const auto text = content_of(folder / "cache.json");
  const auto expect_refusal = [&](const std::string& from, const std::string& to,
                                  const std::vector<std::string>& parts) {
    auto changed = text;
    const auto at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    write_text(folder / "cache.json", changed);
    expect_error([&] { read_description(folder.path()); }, parts);
  };
  expect_refusal("\"format\": 1", "\"format\": 2", {"cache.json", "'format' is 2, expected 1"});
  expect_refusal("\"complete\": false", "\"complete\": 0", {"'complete'"});
  expect_refusal("\"num_shards\": 0", "\"num_shards\": -1", {"'num_shards' is -1"});
  expect_refusal("\"width\": 48", "\"width\": -48", {"'width' is -48"});
  expect_refusal("\"tokenizer\"", "\"tokeniser\"", {"'tokenizer' is missing"});
  expect_refusal("      1,\n", "      9,\n", {"'layers'", "ascending"});
  expect_refusal("{", "", {"cache.json"});
}

TEST(CacheFormat, NumbersShards) {
  EXPECT_EQ(shard_path("c", 7), fs::path("c/shard-00007.safetensors"));
  EXPECT_EQ(shard_number("c/shard-00007.safetensors"), 7);
  EXPECT_EQ(shard_number("shard-1234567.safetensors"), 1234567);
  for (const char* other : {"shard-.safetensors", "shard-7.safetensors.tmp-1-1", "shard-x.safetensors",
                            "shard--7.safetensors", "shard-99999999999999999999.safetensors", "cache.json"}) {
    EXPECT_EQ(shard_number(other), -1) << other;
  }
  EXPECT_EQ(bytes_per_position(8, 1536), 8 * 3076);
}

/// A shard's tensors, to be written with one of them changed.
class ShardTest : public testing::Test {
 protected:
  ShardTest() {
    write_cache(folder_.path());
    const auto file = SafetensorsFile::open(path_);
    metadata_ = file->metadata();
    for (const auto& [name, info] : file->tensors()) tensors_[name] = file->tensor(name).clone();
    whole_ = content_of(path_);
  }

  /// The shard with other tensors, its index's checksum still that of the good one.
  void expect_refusal(const std::function<void(std::map<std::string, at::Tensor>&)>& change,
                      const std::vector<std::string>& parts) {
    auto changed = tensors_;
    change(changed);
    write_safetensors(path_, {changed.begin(), changed.end()}, metadata_);
    expect_error([&] { CacheShard::open(path_, pair().origin()); }, parts);
  }

  /// The shard as write_shard would write it with another index.
  void expect_refusal_of_index(const std::function<void(CacheShard&)>& change, const std::vector<std::string>& parts) {
    write_text(path_, whole_);
    auto shard = CacheShard::open(path_, pair().origin());
    for (auto* tensor :
         {&shard.rows, &shard.entropy, &shard.samples, &shard.checksums, &shard.starts, &shard.id_starts, &shard.ids}) {
      *tensor = tensor->clone();
    }
    change(shard);
    write_shard(shard, pair().origin());
    expect_error([&] { CacheShard::open(path_, pair().origin()); }, parts);
  }

  Folder folder_;
  fs::path path_ = shard_path(folder_.path(), 0);
  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::string whole_;
};

TEST_F(ShardTest, RefusesTensorsOfOtherNamesAndShapes) {
  expect_refusal([](auto& t) { t.erase("entropy"); }, {path_.string(), "missing tensor entropy"});
  expect_refusal([](auto& t) { t["expected_rows"] = t["expected_rows"].to(at::kBFloat16); },
                 {"expected_rows is BFloat16", "Half"});
  expect_refusal([](auto& t) { t["expected_rows"] = t["expected_rows"].narrow(2, 0, 5); }, {"expected_rows", "48"});
  expect_refusal([](auto& t) { t["entropy"] = t["entropy"].narrow(0, 1, 2); }, {"entropy"});
  expect_refusal([](auto& t) { t["starts"] = t["starts"].narrow(0, 0, 3); }, {"starts"});
}

TEST_F(ShardTest, RefusesADamagedIndex) {
  expect_refusal([](auto& t) { t["starts"][1] += 1; }, {path_.string(), "index", "damaged", "run vlsi cache again"});
  expect_refusal([](auto& t) { t["ids"][0] += 1; }, {"index", "damaged"});
  expect_refusal_of_index([](auto& shard) { shard.starts[1] = 0; }, {"starts does not rise"});
  expect_refusal_of_index([](auto& shard) { shard.starts[0] = 1; }, {"starts does not rise"});
  expect_refusal_of_index([](auto& shard) { shard.starts[6] += 1; }, {"starts does not rise"});
  expect_refusal_of_index([](auto& shard) { shard.id_starts[2] = 100; }, {"id_starts does not rise"});
}

TEST_F(ShardTest, RefusesAShardOfAnotherCache) {
  auto other = pair().origin();
  other.teacher = "another";
  expect_error([&] { CacheShard::open(path_, other); }, {path_.string(), "another cache"});
}

TEST_F(ShardTest, RefusesTensorsThatWouldHaveToBeCopied) {
  auto shifted = whole_;
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, whole_.data(), sizeof(header_bytes));
  shifted.insert(8 + header_bytes, " ");
  ++header_bytes;
  std::memcpy(shifted.data(), &header_bytes, sizeof(header_bytes));
  write_text(path_, shifted);
  expect_error([&] { CacheShard::open(path_, pair().origin()); }, {path_.string(), "not aligned"});
}

TEST_F(ShardTest, RefusesACutOffFile) {
  for (const size_t size : {size_t{0}, size_t{4}, whole_.size() / 2, whole_.size() - 1}) {
    write_text(path_, whole_.substr(0, size));
    expect_error([&] { CacheShard::open(path_, pair().origin()); }, {path_.string()});
  }
}

TEST(RecordChecksum, DependsOnSampleRowsAndEntropy) {
  const auto rows = at::ones({2, 3, 4}, at::kHalf), entropy = at::ones({2, 3});
  const auto before = record_checksum(1, rows, entropy);
  EXPECT_EQ(record_checksum(1, rows.clone(), entropy.clone()), before);
  EXPECT_NE(record_checksum(2, rows, entropy), before);
  EXPECT_NE(record_checksum(1, rows * 2, entropy), before);
  EXPECT_NE(record_checksum(1, rows, entropy * 2), before);
}

}  // namespace
}  // namespace vlsi
