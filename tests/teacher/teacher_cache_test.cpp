// A cached teacher against the live one, and what makes a cache unusable.
#include "teacher/teacher_cache.h"

#include <ATen/ATen.h>

#include <set>

#include "method/step2_interact.h"
#include "run/run_cache.h"
#include "tests/teacher/cache_fixture.h"

namespace vlsi {
namespace {

using namespace cache_fixture;

struct Run {
  std::vector<double> losses;
  OrderedJson matches = OrderedJson::array();
};

/// Step 2's losses and matches over `num_draws` micro-batches, from the same seed.
Run interact_with(const Teacher& teacher, int num_draws) {
  InteractionConfig config;
  Random random(3);
  const Interaction interaction{*pair().student.model,
                                pair().student.verbalizers.get(),
                                teacher,
                                config,
                                random,
                                method_fixture::kNoEndOfTurn,
                                nullptr};
  Run run;
  const Batch batches[] = {load_batch(0), load_batch(1)};
  for (int i = 0; i < num_draws; ++i) {
    const auto& batch = batches[i % 2];
    const auto output = interact(interaction, batch);
    run.losses.push_back(output.loss.item<double>() / static_cast<double>(batch.num_answers()));
    run.matches.push_back(output.lists.at("matches"));
  }
  return run;
}

// float16 rows of size one, in dot products of width 48 with rows of size one to ten: the bound that the method asks
// for.
TEST(CachedTeacher, GivesTheLossesAndMatchesOfTheLiveOne) {
  const Folder folder;
  write_cache(folder.path());
  const auto cache = std::make_shared<TeacherCache>(folder.path(), pair().origin());
  EXPECT_EQ(cache->num_samples(), 6);
  const auto teacher = cached_teacher(cache, pair().origin().layers);
  EXPECT_EQ(teacher.shared_rows, 320);
  const int num_draws = 200;
  const auto live = interact_with(pair().live(), num_draws), cached = interact_with(teacher, num_draws);
  int num_equal = 0;
  for (int i = 0; i < num_draws; ++i) {
    if (live.matches[i] != cached.matches[i]) continue;  // other pairs have other losses
    ++num_equal;
    EXPECT_NEAR(cached.losses[i], live.losses[i], 2e-3) << i;
  }
  EXPECT_GE(num_equal, 198);
  EXPECT_GE(std::set<OrderedJson>(live.matches.begin(), live.matches.end()).size(), 2U)
      << "the draws have something to choose";
}

TEST(CachedTeacher, KnowsSamplesInAnyBatch) {
  const Folder folder;
  write_cache(folder.path());
  TeacherCache cache(folder.path(), pair().origin());
  const auto batch = load_batch(0);
  const auto whole = cache.load(batch, pair().origin().layers);
  Batch turned = batch;  // the last of its three samples before the first
  turned.ids = {batch.ids[2], batch.ids[0]};
  turned.sample_fingerprints = {batch.sample_fingerprints[2], batch.sample_fingerprints[0]};
  const auto& starts = batch.answer_starts;
  const int64_t first = starts[3] - starts[2], second = starts[1];
  turned.answer_starts = {0, first, first + second};
  const auto found = cache.load(turned, pair().origin().layers);
  EXPECT_TRUE(
      at::equal(found.expected_row,
                at::cat({whole.expected_row.narrow(1, starts[2], first), whole.expected_row.narrow(1, 0, second)}, 1)));
  EXPECT_TRUE(at::equal(found.entropy,
                        at::cat({whole.entropy.narrow(1, starts[2], first), whole.entropy.narrow(1, 0, second)}, 1)));
  EXPECT_EQ(whole.expected_row.scalar_type(), at::kFloat);
}

TEST(CachedTeacher, ServesFewerLayers) {
  const Folder folder;
  write_cache(folder.path());
  auto run = pair().origin();
  const auto all = run.layers;
  ASSERT_EQ(all.size(), 3U);
  run.layers = {all[0], all[2]};
  run.teacher.clear();  // not known without the teacher
  TeacherCache cache(folder.path(), run);
  const auto batch = load_batch(1);
  const auto places = at::tensor({0, 2, 3}, at::kLong);
  const auto whole = cache.load(batch, all), some = cache.load(batch, run.layers);
  EXPECT_TRUE(at::equal(some.expected_row, whole.expected_row.index_select(0, places)));
  EXPECT_TRUE(at::equal(some.entropy, whole.entropy.index_select(0, places)));
  EXPECT_TRUE(at::equal(cache.load(batch, {}).entropy, whole.entropy.narrow(0, 3, 1)));
}

TEST(CachedTeacher, ReadsAheadOfSamplesThatItHas) {
  const Folder folder;
  write_cache(folder.path());
  const auto teacher = cached_teacher(std::make_shared<TeacherCache>(folder.path(), pair().origin()), {});
  Sample unknown;
  unknown.id = "unknown";
  unknown.tokens = {1};
  ASSERT_TRUE(teacher.read_ahead);
  EXPECT_NO_THROW(teacher.read_ahead(unknown)) << "nothing is asked of the teacher";
  unknown.answer_positions = {0};
  expect_error([&] { teacher.read_ahead(unknown); }, {"has no sample 'unknown'"});
  EXPECT_NO_THROW(teacher.read_ahead(method_fixture::load_samples(0).at(0)));
}

TEST(CachedTeacher, NamesTheSampleThatIsNotThere) {
  const Folder folder;
  write_cache(folder.path());
  TeacherCache cache(folder.path(), pair().origin());
  auto batch = load_batch(0);
  batch.sample_fingerprints[1] += 1;
  expect_error([&] { cache.load(batch, {}); }, {"sample '" + batch.ids[1] + "'", "other text, answers or pictures"});
  batch.ids[1] = "a new one";
  expect_error([&] { cache.load(batch, {}); }, {"no sample 'a new one'", "vlsi cache"});
}

TEST(CachedTeacher, NamesEverythingThatDiffers) {
  const Folder folder;
  write_cache(folder.path());
  const auto expect_difference = [&](const std::function<void(CacheOrigin&)>& change, const std::string& part) {
    auto run = pair().origin();
    change(run);
    expect_error([&] { TeacherCache(folder.path(), run); }, {folder.path().string(), part});
  };
  expect_difference([](auto& o) { o.tokenizer = "x"; }, "its tokenizer is 'a tokenizer', the run's is 'x'");
  expect_difference([](auto& o) { o.chat_template = "x"; }, "its chat template is");
  expect_difference([](auto& o) { o.pre_processing = "x"; }, "its picture pre-processing is");
  expect_difference([](auto& o) { o.teacher_tokenizer = "x"; }, "its teacher's tokenizer is 'another tokenizer'");
  expect_difference([](auto& o) { o.teacher_chat_template = "x"; }, "its teacher's chat template is");
  expect_difference([](auto& o) { o.teacher_pre_processing = "x"; }, "its teacher's picture pre-processing is");
  expect_difference([](auto& o) { o.teacher = "x"; }, "its teacher is");
  expect_difference([](auto& o) { o.teacher_verbalizers = "x"; }, "its teacher's verbalizers is");
  expect_difference([](auto& o) { o.student_head = "x"; }, "its student's language head is");
  expect_difference([](auto& o) { o.dtype = "bfloat16"; }, "its dtype is 'float32', the run's is 'bfloat16'");
  expect_difference([](auto& o) { o.layers.push_back(99); }, "its list of target layers is");
  expect_difference([](auto& o) { o.width = 7; }, "its width is 48, the run's is 7");
  expect_difference([](auto& o) { o.shared_rows = 7; }, "its number of shared vocabulary rows is 320, the run's is 7");
  expect_difference([](auto& o) { o.tokenizer = o.dtype = "x"; }, "'x'; its dtype");
}

TEST(CachedTeacher, RefusesAnIncompleteCacheAndAMissingShard) {
  const Folder folder;
  { CacheWriter(folder.path(), pair().origin(), 1); }
  expect_error([&] { TeacherCache(folder.path(), pair().origin()); }, {"not complete", "vlsi cache"});
  write_cache(folder.path(), 1);
  fs::remove(folder / "shard-00000.safetensors");
  expect_error([&] { TeacherCache(folder.path(), pair().origin()); },
               {"shard-00000.safetensors is missing", "found 1 shards, expected 2"});
}

TEST(CachedTeacher, FindsDamageInARecordWhenItIsRead) {
  const Folder folder;
  write_cache(folder.path());
  const auto path = shard_path(folder.path(), kCachePrefix, 0);
  const auto whole = content_of(path);
  const auto file = SafetensorsFile::open(path);
  for (const char* tensor : {"expected_rows", "entropy"}) {
    SCOPED_TRACE(tensor);
    auto damaged = whole;
    damaged[file->tensors().at(tensor).begin + 5] ^= 1;  // of the first record
    write_text(path, damaged);
    TeacherCache cache(folder.path(), pair().origin());
    const auto batch = load_batch(0);
    expect_error([&] { cache.load(batch, {}); }, {path.string(), "sample '" + batch.ids[0] + "'", "damaged"});
    EXPECT_NO_THROW(cache.load(load_batch(1), {}));
  }
}

}  // namespace
}  // namespace vlsi
