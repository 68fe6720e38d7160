// What a cache says of itself.
#include "teacher/cache_format.h"

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
  expect_refusal("\"format\": 3", "\"format\": 2",
                 {"cache.json", "'format' is 2, expected 3", "remove the cache and run vlsi cache again"});
  expect_refusal("\"complete\": false", "\"complete\": 0", {"'complete'"});
  expect_refusal("\"num_shards\": 0", "\"num_shards\": -1", {"'num_shards' is -1"});
  expect_refusal("\"width\": 48", "\"width\": -48", {"'width' is -48"});
  expect_refusal("\"tokenizer\"", "\"tokeniser\"", {"'tokenizer' is missing"});
  expect_refusal("      1,\n", "      9,\n", {"'layers'", "ascending"});
  expect_refusal("{", "", {"cache.json"});
}

TEST(CacheFormat, CountsBytes) {
  CacheOrigin origin;
  origin.layers = {1, 2, 3, 4, 5, 6, 7};
  origin.width = 1536;
  EXPECT_EQ(record_format(origin).bytes_per_row(), 8 * 3076);
}

TEST(CacheFormat, RefusesAShardOfAnotherCache) {
  const Folder folder;
  write_cache(folder.path());
  auto other = pair().origin();
  other.teacher = "another";
  expect_error([&] { RecordShards(folder.path(), record_format(other)); },
               {shard_path(folder.path(), kCachePrefix, 0).string(), "another cache", "run vlsi cache again"});
}

}  // namespace
}  // namespace vlsi
