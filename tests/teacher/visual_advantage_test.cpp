// What a teacher's pictures are worth to it, against a plain formula and whatever way the teacher runs.
#include "teacher/visual_advantage.h"

#include <ATen/ATen.h>

#include "run/run_cache.h"
#include "teacher/teacher_cache.h"
#include "tests/teacher/cache_fixture.h"

namespace vlsi {
namespace {

using namespace cache_fixture;

Teacher weighing(const std::shared_ptr<Vlm>& model) {
  return with_visual_advantage(live_teacher(model, pair().teacher.verbalizers, pair().student.model, kAllIds), model,
                               pair().student.model);
}

CacheOrigin weighing_origin() {
  auto origin = pair().origin();
  origin.blank = kBlankPatches;
  return origin;
}

/// A complete cache of both batches with their advantage.
void write_weighing_cache(const fs::path& directory) {
  CacheWriter writer(directory, weighing_origin(), kLarge);
  const auto teacher = weighing(pair().teacher.model);
  for (const int i : {0, 1}) writer.add(load_batch(i), teacher.summarize(load_batch(i)));
  writer.finish();
}

/// By log_softmax over all of the teacher's rows, in float64. [N]
at::Tensor plain_advantage(const Batch& batch) {
  at::NoGradGuard no_grad;
  const auto& model = *pair().teacher.model;
  auto blank = batch;
  if (batch.patches.defined()) blank.patches = at::zeros_like(batch.patches);
  const auto log_probability = [&](const Batch& shown) {
    const auto rows = model.forward(shown, HiddenRequest{}).final_rows.to(at::kDouble);
    const auto all = at::log_softmax(at::mm(rows, model.head().to(at::kDouble).t()), -1);
    return all.gather(1, batch.labels.unsqueeze(1)).squeeze(1);
  };
  return log_probability(batch) - log_probability(blank);
}

TEST(VisualAdvantage, IsTheGainInTheAnswersLogProbability) {
  const auto teacher = weighing(pair().teacher.model);
  const auto plain = pair().live();
  for (const int i : {0, 1}) {
    const auto batch = load_batch(i);
    ASSERT_TRUE(batch.patches.defined());
    const auto wanted = plain_advantage(batch);
    const auto summary = teacher.summarize(batch);
    // A difference of two float32 losses of size six, each of some hundred terms.
    EXPECT_LT((summary.advantage - wanted).abs().max().item<double>(), 2e-5);
    EXPECT_GT(wanted.abs().max().item<double>(), 1e-3) << "it sees";
    EXPECT_TRUE(at::equal(teacher.running->read(batch).advantage, summary.advantage));
    // What the losses read is as without.
    EXPECT_TRUE(at::equal(summary.expected_row, plain.summarize(batch).expected_row));
    EXPECT_TRUE(at::equal(summary.entropy, plain.summarize(batch).entropy));
    EXPECT_FALSE(plain.summarize(batch).advantage.defined());
  }
}

TEST(VisualAdvantage, OfTextIsZeroWithoutASecondLook) {
  std::vector<Sample> text;
  for (auto sample : method_fixture::load_samples(0)) {
    if (sample.images.empty()) text.push_back(sample);
  }
  ASSERT_FALSE(text.empty());
  const auto advantage = weighing(pair().teacher.model).summarize(pack(text)).advantage;
  EXPECT_TRUE(at::equal(advantage, at::zeros_like(advantage)));
}

TEST(VisualAdvantage, OfAStreamedTeacherIsThatOfAResidentOne) {
  const auto model = load_vlm(method_fixture::kFolder / "teacher", at::kFloat, at::kCPU, Residency::kStreamed);
  const auto streamed = weighing(model), resident = weighing(pair().teacher.model);
  streamed.prepare({load_batch(0), load_batch(1)});
  for (const int i : {0, 1}) {
    EXPECT_TRUE(at::equal(streamed.summarize(load_batch(i)).advantage, resident.summarize(load_batch(i)).advantage));
  }
}

TEST(VisualAdvantage, IsReadFromACacheAsItWas) {
  const Folder folder;
  write_weighing_cache(folder.path());
  const auto cache = std::make_shared<TeacherCache>(folder.path(), weighing_origin());
  const auto cached = cached_teacher(cache, pair().origin().layers), live = weighing(pair().teacher.model);
  for (const int i : {1, 0}) {
    EXPECT_TRUE(at::equal(cached.summarize(load_batch(i)).advantage, live.summarize(load_batch(i)).advantage));
  }
}

TEST(VisualAdvantage, BelongsToACacheThatWasMadeWithIt) {
  const Folder with, without;
  write_weighing_cache(with.path());
  write_cache(without.path());
  EXPECT_NO_THROW(TeacherCache(with.path(), pair().origin())) << "a run that does not ask for it";
  expect_error([&] { TeacherCache(without.path(), weighing_origin()); },
               {"opening teacher cache", "its visual advantage is 'none', the run's is 'patches at zero'"});
  expect_error([&] { CacheWriter(with.path(), pair().origin(), kLarge); },
               {"another one is there", "its visual advantage is 'patches at zero', the run's is 'none'"});
  EXPECT_EQ(read_description(with.path()).origin.blank, kBlankPatches);
  EXPECT_EQ(content_of(without / "cache.json").find("blank"), std::string::npos);
  EXPECT_EQ(record_format(weighing_origin()).bytes_per_row(), record_format(pair().origin()).bytes_per_row() + 4);
}

TEST(VisualAdvantage, ThatIsNoNumberIsNotCached) {
  const Folder folder;
  CacheWriter writer(folder.path(), weighing_origin(), kLarge);
  auto summary = weighing(pair().teacher.model).summarize(load_batch(0));
  summary.advantage[1] = NAN;
  expect_error([&] { writer.add(load_batch(0), summary); }, {"the teacher's last layer: the visual advantage is nan"});
}

}  // namespace
}  // namespace vlsi
