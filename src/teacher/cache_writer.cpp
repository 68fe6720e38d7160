#include "teacher/cache_writer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "objective/finite.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// Whether there is anything in `directory` that no cache has.
bool has_other_files(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename() != ".lock" && !is_temporary(entry.path())) return true;
  }
  return false;
}

}  // namespace

CacheWriter::CacheWriter(const fs::path& directory, const CacheOrigin& origin, int64_t shard_bytes)
    : directory_(directory), origin_(origin) {
  make_directories(directory_);
  lock_ = std::make_unique<DirectoryLock>(directory_, "making a teacher cache");
  remove_leftovers(directory_);
  if (fs::exists(description_path(directory_))) {
    const auto description = read_description(directory_);
    if (const auto text = differences(description.origin, origin_, /*any_layers=*/false); !text.empty()) {
      fail("making a teacher cache in ", directory_.string(), ": another one is there: ", text,
           "; remove it, or choose another folder");
    }
  } else if (has_other_files(directory_)) {
    fail("making a teacher cache in ", directory_.string(),
         ": the folder holds other files, expected an empty one or none");
  } else {
    write_description(directory_, {origin_});
  }
  records_.emplace(directory_, record_format(origin_), shard_bytes);
}

bool CacheWriter::has(const Batch& batch) const {
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const bool has_positions = batch.answer_starts[i] < batch.answer_starts[i + 1];
    if (has_positions && !records_->has(batch.sample_fingerprints[i])) return false;
  }
  return true;
}

void CacheWriter::add(const Batch& batch, const TeacherSummary& summary) {
  at::NoGradGuard no_grad;
  const auto names = layer_names("teacher", origin_.layers, /*with_last=*/true);
  check_finite(summary.entropy, "entropy", names, batch);
  check_finite(summary.expected_row.abs().amax(-1).to(at::kHalf).to(at::kFloat), "expected row in float16", names,
               batch);
  const bool weighs = !origin_.blank.empty();
  if (weighs) check_finite(summary.advantage.unsqueeze(0), "visual advantage", {names.back()}, batch);
  records_->make_room(batch.num_answers());
  const auto rows = summary.expected_row.cpu().transpose(0, 1), entropy = summary.entropy.cpu().transpose(0, 1);
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const int64_t start = batch.answer_starts[i], length = batch.answer_starts[i + 1] - start;
    if (length == 0) continue;
    std::vector<at::Tensor> values{rows.narrow(0, start, length),
                                   entropy.narrow(0, start, length)};                // [n, L, D], [n, L]
    if (weighs) values.push_back(summary.advantage.cpu().narrow(0, start, length));  // [n]
    records_->add(batch.sample_fingerprints[i], batch.ids[i], values);
  }
}

void CacheWriter::finish() {
  records_->write_pending();
  write_description(directory_, {origin_, /*complete=*/true, num_shards(), num_samples(), num_positions()});
}

}  // namespace vlsi
