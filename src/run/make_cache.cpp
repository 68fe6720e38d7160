#include "run/make_cache.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>

#include "base/disk_space.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/size_text.h"
#include "checkpoint/fingerprint.h"
#include "checkpoint/finite_weights.h"
#include "checkpoint/load.h"
#include "checkpoint/picture_features.h"
#include "data/one_pass.h"
#include "family/family.h"
#include "method/step2_interact.h"
#include "run/pair.h"
#include "run/run_cache.h"
#include "run/run_verbalizers.h"
#include "teacher/cache_writer.h"
#include "teacher/sight.h"
#include "teacher/visual_advantage.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kCountedRecords = 256;

/// Answer positions of all records of `files`, from every record or from kCountedRecords that are spread over them; of
/// those that are alike, once.
struct Count {
  int64_t num_records = 0, num_positions = 0;
  int64_t num_there = 0;  // of the positions, in the cache
  bool is_exact = false;
};

/// The finished records of a cache in `folder` that this run would go on with; nothing where there is none.
std::optional<RecordShards> find_finished(const fs::path& folder, const CacheOrigin& origin) {
  if (!fs::exists(description_path(folder))) return std::nullopt;
  const auto there = read_description(folder).origin;
  if (!differences(there, origin, /*any_layers=*/false).empty()) return std::nullopt;  // it is refused later
  return RecordShards(folder, record_format(there));
}

Count count_positions(const std::deque<RecordFile>& files, const Processor& processor,
                      const std::optional<RecordShards>& finished) {
  Count count;
  for (const auto& file : files) count.num_records += file.size();
  const int64_t num_looked_at = std::min(count.num_records, kCountedRecords);
  count.is_exact = num_looked_at == count.num_records;
  int64_t found = 0, there = 0;
  std::set<uint64_t> known;
  for (int64_t i = 0; i < num_looked_at; ++i) {
    int64_t record = i * count.num_records / num_looked_at;
    auto file = files.begin();
    for (; record >= file->size(); ++file) record -= file->size();
    try {
      const auto sample = processor.encode(file->read(record));
      const auto key = fingerprint_of(sample);
      if (!known.insert(key).second) continue;
      const auto num_positions = std::ssize(sample.answer_positions);
      found += num_positions;
      if (finished && finished->has(key)) there += num_positions;
    } catch (const Error&) {
      // It is said, or counted, when its turn comes; a long run must not end here on a record that is to be skipped.
    }
  }
  if (num_looked_at == 0) return count;
  count.num_positions = found * count.num_records / num_looked_at;
  count.num_there = there * count.num_records / num_looked_at;
  return count;
}

/// What the configuration and the models' own configurations say against a cache.
void check_cacheable(const RunConfig& config, const ModelConfig& student) {
  const std::string place = config.out.string();
  const auto& interact = config.interact;
  if (interact.intermediate_loss != LossKind::kKl && interact.last_loss != LossKind::kKl) {
    fail(place,
         ": neither interact.intermediate_loss nor interact.last_loss is kl: there is nothing of the teacher to cache");
  }
  if (config.teacher.model.empty()) fail(place, ": key 'teacher.model' is missing: a cache is made by the teacher");
  check_head_stays(interact, student, place, /*cached_teacher=*/true);
}

/// The models, loaded for the pass over the data.
class Pass {
 public:
  Pass(const RunConfig& config, const PairProcessors& processors, const MakeCacheOptions& options)
      : config_(config), maker_(processors.both()), device_(config.device), checks_sight_(config.teacher.check_sight) {
    const auto student = load_vlm(config.student.model, config.dtype, device_);
    Speaker speaker{load_vlm(config.teacher.model, config.dtype, device_, config.teacher.residency), nullptr};
    const auto& teacher = speaker.model;
    if (residency_among(/*num_ranks=*/1, config.teacher.residency) == Residency::kResident)
      check_finite_weights(*teacher, "loading the teacher in " + config.teacher.model.string());
    auto origin = known_origin(config, processors, *student);
    if (!origin.layers.empty()) {
      load_verbalizers(speaker, find_verbalizers(config, StepKind::kVerbalizeTeacher), origin.layers);
    } else {
      origin.teacher_verbalizers = "none";
    }
    Fingerprint of_teacher;
    teacher->for_each_weight([&](const std::string& name, const at::Tensor& weight) { of_teacher.add(name, weight); });
    origin.teacher = of_teacher.text();
    quantize(*teacher, config.teacher.quantize, options.out);
    if (teacher->is_streamed()) group_ = std::max<int64_t>(1, config.interact.optimizer.accumulate);
    teacher_ = live_teacher(teacher, speaker.verbalizers, student, processors.shared_ids,
                            std::make_shared<KeptPictureFeatures>(config.vision_cache));
    if (!origin.blank.empty()) teacher_ = with_visual_advantage(teacher_, teacher, student);
    origin.shared_rows = teacher_.shared_rows;
    model_ = teacher;
    writer_ = std::make_unique<CacheWriter>(options.out, origin, options.shard_bytes);
  }

  /// All records of `files`; false when an interrupt came first.
  bool run(const std::deque<RecordFile>& files, int64_t num_records) {
    std::unique_ptr<Progress> progress;  // begins with the first batch that is not there yet
    int64_t num_before = 0;
    for (const auto& file : files) {
      const auto& data = config_.interact.data;
      OnePass pass(
          file, maker_,
          {Encoding::kWhole, data.batch_tokens, data.on_error, std::min(data.sample_tokens, data.batch_tokens)});
      int64_t num_done = num_before;
      while (auto part = pass.next()) {
        if (interrupted()) return false;
        if (!writer_->has(part->batch)) {
          if (!progress) progress = std::make_unique<Progress>("caching the teacher", "records", num_records, num_done);
          waiting_.push_back(std::move(part->batch));
          if (std::ssize(waiting_) == group_) add_waiting();
        }
        num_done = num_before + pass.num_done();
        if (progress) progress->update(num_done, concat(writer_->num_positions(), " answer positions"));
      }
      add_waiting();
      pass.finish("caching the teacher");
      num_before += file.size();
    }
    writer_->finish();
    return true;
  }

  const CacheWriter& writer() const { return *writer_; }

 private:
  void add_waiting() {
    at::NoGradGuard no_grad;
    for (const auto& waiting : waiting_) {
      if (checks_sight_) checks_sight_ = !check_sight(*model_, waiting.for_teacher(), "caching the teacher");
    }
    teacher_.prepare(waiting_);
    for (auto& waiting : waiting_) {
      const auto batch = to_device(std::move(waiting), device_);
      const auto summary = teacher_.summarize(batch);
      if (!writer_->has(batch)) writer_->add(batch, summary);  // a group may hold a sample twice
    }
    waiting_.clear();
  }

  const RunConfig& config_;
  const SampleMaker maker_;
  const at::Device device_;
  std::shared_ptr<const Vlm> model_;
  Teacher teacher_;
  bool checks_sight_;           // until a batch could tell
  int64_t group_ = 1;           // batches that a streamed teacher reads in one pass over its weights
  std::vector<Batch> waiting_;  // for their group to be full
  std::unique_ptr<CacheWriter> writer_;
};

}  // namespace

void check_room(int64_t needed_bytes, int64_t available_bytes, const fs::path& place) {
  if (needed_bytes <= available_bytes) return;
  fail("making a teacher cache in ", place.string(), ": it needs ", size_text(needed_bytes), ", but only ",
       size_text(available_bytes),
       " are free there; make room, name another folder with --out, or take fewer data or layers");
}

Outcome make_teacher_cache(const RunConfig& config, const MakeCacheOptions& options) {
  const auto student = load_model_config(config.student.model);
  check_cacheable(config, student);
  const auto processors = load_processors(config, /*with_teacher=*/true);
  check_layers(config.teacher.layers, load_model_config(config.teacher.model), "teacher.layers", config.out.string());
  if (!cached_layers(config).empty()) find_verbalizers(config, StepKind::kVerbalizeTeacher);

  std::deque<RecordFile> files;
  for (const auto& source : config.interact.data.train) {
    for (auto& file : open_files(source)) {
      if (file.size() > 0) files.push_back(std::move(file));
    }
  }
  CacheOrigin origin;
  origin.layers = cached_layers(config);
  origin.width = student.text.hidden_size;
  origin.blank = blank_of(config);
  const auto count = count_positions(files, *processors.student, find_finished(options.out, origin));
  const int64_t bytes_per_row = record_format(origin).bytes_per_row();
  const int64_t total = count.num_positions * bytes_per_row, finished = count.num_there * bytes_per_row;
  const int64_t available = free_disk_bytes(options.out, "making a teacher cache in " + options.out.string());
  log_info(concat("the cache: ", count.num_records, " records, ", count.is_exact ? "" : "about ", count.num_positions,
                  " answer positions x ", origin.layers.size() + 1, " layers x (2 x ", origin.width, " + 4) bytes",
                  origin.blank.empty() ? "" : ", and 4 bytes each", " = ", size_text(total),
                  finished > 0 ? ", of which " + size_text(finished) + " are there" : "", "; free in ",
                  options.out.string(), ": ", size_text(available)));
  check_room(total - finished, available, options.out);

  Pass pass(config, processors, options);
  const bool finished_all = pass.run(files, count.num_records);
  const auto& writer = pass.writer();
  if (!finished_all) {
    log_info(concat("stopped; ", writer.num_finished_samples(), " samples in ", writer.num_shards(),
                    " finished shards stay; the same command goes on from there"));
    return Outcome::kInterrupted;
  }
  log_info(concat("done: ", writer.num_samples(), " samples, ", writer.num_positions(), " answer positions in ",
                  writer.num_shards(), " shards; distill with teacher.cache=", options.out.string()));
  return Outcome::kFinished;
}

}  // namespace vlsi
