#include "teacher/cache_writer.h"

#include <ATen/ATen.h>

#include <cmath>

#include "tests/teacher/cache_fixture.h"

namespace vlsi {
namespace {

using namespace cache_fixture;

TEST(CacheWriter, StoresEveryPositionRoundedOnce) {
  const Folder folder;
  write_cache(folder.path());
  RecordShards records(folder.path(), record_format(pair().origin()));
  ASSERT_EQ(records.num_records(), 6);
  for (const int i : {0, 1}) {
    const auto batch = load_batch(i);
    const auto summary = pair().live().summarize(batch);
    for (int64_t s = 0; s < 3; ++s) {
      const int64_t start = batch.answer_starts[s], length = batch.answer_starts[s + 1] - start;
      const auto found = records.find(batch.sample_fingerprints[s]);
      ASSERT_TRUE(found.has_value());
      // The same program on the same batch: equal but for the rounding to float16.
      EXPECT_TRUE(at::equal(found->at(0), summary.expected_row.narrow(1, start, length).transpose(0, 1).to(at::kHalf)));
      EXPECT_TRUE(at::equal(found->at(1), summary.entropy.narrow(1, start, length).transpose(0, 1)));
      EXPECT_TRUE(records.has_id(batch.ids[s]));
    }
  }
  const auto description = read_description(folder.path());
  EXPECT_TRUE(description.complete);
  EXPECT_EQ(description.num_samples, 6);
  EXPECT_EQ(description.num_positions, records.num_rows());
}

TEST(CacheWriter, PassesOverWhatIsThere) {
  const Folder folder;
  CacheWriter writer(folder.path(), pair().origin(), kLarge);
  const auto batch = load_batch(0);
  EXPECT_FALSE(writer.has(batch));
  writer.add(batch, pair().live().summarize(batch));
  EXPECT_TRUE(writer.has(batch));
  const auto before = writer.num_positions();
  writer.add(batch, pair().live().summarize(batch));
  EXPECT_EQ(writer.num_positions(), before);
  EXPECT_EQ(writer.num_samples(), 3);
  EXPECT_EQ(writer.num_finished_samples(), 0);
}

TEST(CacheWriter, EndsShardsBetweenBatchesAndGoesOnBehindThem) {
  const Folder whole, stopped;
  write_cache(whole.path(), /*shard_bytes=*/1);
  EXPECT_EQ(find_shards(whole.path(), kCachePrefix).size(), 2U);
  {
    CacheWriter writer(stopped.path(), pair().origin(), 1);
    for (const int i : {0, 1}) writer.add(load_batch(i), pair().live().summarize(load_batch(i)));
    EXPECT_EQ(writer.num_shards(), 1);
    EXPECT_EQ(writer.num_finished_samples(), 3);
  }  // the second shard is lost
  EXPECT_FALSE(read_description(stopped.path()).complete);
  write_text(stopped / "shard-00001.safetensors.tmp-99999999-1", "half a shard");
  write_cache(stopped.path(), 1);
  for (const char* file : {"cache.json", "shard-00000.safetensors", "shard-00001.safetensors"}) {
    EXPECT_TRUE(content_of(whole / file) == content_of(stopped / file)) << file;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(stopped.path()), {}), 4) << "three files and the lock";
}

TEST(CacheWriter, MakesARemovedShardAgain) {
  const Folder folder;
  write_cache(folder.path(), 1);
  const auto before = content_of(folder / "shard-00000.safetensors");
  fs::remove(folder / "shard-00000.safetensors");
  write_cache(folder.path(), 1);
  EXPECT_TRUE(content_of(folder / "shard-00000.safetensors") == before);
}

TEST(CacheWriter, RefusesACacheOfAnotherOrigin) {
  const Folder folder;
  write_cache(folder.path());
  const auto before = content_of(folder / "cache.json");
  auto origin = pair().origin();
  origin.teacher = "another teacher";
  origin.layers.pop_back();
  expect_error([&] { CacheWriter(folder.path(), origin, kLarge); },
               {folder.path().string(), "its teacher is 'a teacher', the run's is 'another teacher'", "target layers",
                "remove it"});
  EXPECT_EQ(content_of(folder / "cache.json"), before);
}

TEST(CacheWriter, RefusesAFolderWithOtherFilesAndASecondWriter) {
  const Folder folder;
  write_text(folder / "mine", "mine");
  expect_error([&] { CacheWriter(folder.path(), pair().origin(), kLarge); }, {folder.path().string(), "other files"});
  expect_error([&] { CacheWriter(folder / "mine", pair().origin(), kLarge); }, {(folder / "mine").string()});
  const CacheWriter writer(folder / "cache", pair().origin(), kLarge);
  expect_error([&] { CacheWriter(folder / "cache", pair().origin(), kLarge); }, {"another process"});
}

TEST(CacheWriter, NamesLayerAndSampleOfAValueThatIsNotFinite) {
  const auto batch = load_batch(0);
  const auto last = batch.num_answers() - 1;
  const auto good = pair().live().summarize(batch);
  const auto error_with = [&](const std::function<void(TeacherSummary&)>& change) {
    const Folder folder;
    CacheWriter writer(folder.path(), pair().origin(), kLarge);
    TeacherSummary summary{good.expected_row.clone(), good.entropy.clone()};
    change(summary);
    return message_of([&] { writer.add(batch, summary); });
  };
  const auto place = concat("at answer token ", last - batch.answer_starts[2] + 1, " of sample '", batch.ids[2], "'");
  const auto above = error_with([&](auto& s) { s.expected_row[1][last][0] = 70000.0; });  // float16 ends at 65504
  EXPECT_NE(
      above.find(concat("teacher layer ", pair().origin().layers[1], ": the expected row in float16 is inf ", place)),
      std::string::npos)
      << above;
  const auto nan = error_with([&](auto& s) { s.entropy[3][last] = std::nan(""); });
  EXPECT_NE(nan.find("the teacher's last layer: the entropy is nan " + place), std::string::npos) << nan;
}

}  // namespace
}  // namespace vlsi
