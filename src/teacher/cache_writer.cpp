#include "teacher/cache_writer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "objective/finite.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

template <class T>
at::Tensor view_of(const std::vector<T>& values, at::ScalarType dtype) {
  return at::from_blob(const_cast<T*>(values.data()), {static_cast<int64_t>(values.size())},
                       at::TensorOptions().dtype(dtype));
}

/// Whether there is anything in `directory` that no cache has.
bool has_other_files(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename() != ".lock" && !is_temporary(entry.path())) return true;
  }
  return false;
}

}  // namespace

CacheWriter::CacheWriter(const fs::path& directory, const CacheOrigin& origin, int64_t shard_bytes)
    : directory_(directory),
      origin_(origin),
      num_layers_(static_cast<int64_t>(origin.layers.size()) + 1),
      max_positions_(std::max<int64_t>(1, shard_bytes / bytes_per_position(num_layers_, origin.width))) {
  make_directories(directory_);
  lock_ = std::make_unique<DirectoryLock>(directory_, "making a teacher cache");
  remove_leftovers(directory_);
  if (!fs::exists(description_path(directory_))) {
    if (has_other_files(directory_)) {
      fail("making a teacher cache in ", directory_.string(),
           ": the folder holds other files, expected an empty one or none");
    }
    write_description(directory_, {origin_});
    return;
  }
  const auto description = read_description(directory_);
  if (const auto text = differences(description.origin, origin_, /*any_layers=*/false); !text.empty()) {
    fail("making a teacher cache in ", directory_.string(), ": another one is there: ", text,
         "; remove it, or choose another folder");
  }
  for (const auto& path : find_shards(directory_)) {
    const auto shard = CacheShard::open(path, origin_);
    for (int64_t i = 0; i < shard.num_records(); ++i) index_.insert(shard.sample(i), {});
    num_finished_positions_ += shard.num_positions();
    ++num_shards_;
  }
}

bool CacheWriter::has(const Batch& batch) const {
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const bool has_positions = batch.answer_starts[i] < batch.answer_starts[i + 1];
    if (has_positions && !index_.find(batch.sample_fingerprints[i])) return false;
  }
  return true;
}

void CacheWriter::add(const Batch& batch, const TeacherSummary& summary) {
  at::NoGradGuard no_grad;
  const auto names = layer_names("teacher", origin_.layers, /*with_last=*/true);
  check_finite(summary.entropy, "entropy", names, batch);
  check_finite(summary.expected_row.abs().amax(-1).to(at::kHalf).to(at::kFloat), "expected row in float16", names,
               batch);
  if (num_positions_ > 0 && num_positions_ + batch.num_answers() > max_positions_) write_open_shard();
  const int64_t room = std::max(max_positions_, batch.num_answers());
  if (!rows_.defined() || rows_.size(0) < room) {
    rows_ = at::empty({room, num_layers_, origin_.width}, at::kHalf);
    entropy_ = at::empty({room, num_layers_}, at::kFloat);
  }
  const TeacherSummary here{summary.expected_row.cpu(), summary.entropy.cpu()};
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const int64_t length = batch.answer_starts[i + 1] - batch.answer_starts[i];
    if (length > 0 && index_.insert(batch.sample_fingerprints[i], {})) add_sample(batch, i, here);
  }
}

void CacheWriter::add_sample(const Batch& batch, int64_t index, const TeacherSummary& summary) {
  const int64_t start = batch.answer_starts[index], length = batch.answer_starts[index + 1] - start;
  const auto rows = rows_.narrow(0, num_positions_, length), entropy = entropy_.narrow(0, num_positions_, length);
  rows.copy_(summary.expected_row.narrow(1, start, length).transpose(0, 1));  // [n, L, D]
  entropy.copy_(summary.entropy.narrow(1, start, length).transpose(0, 1));    // [n, L]
  num_positions_ += length;
  samples_.push_back(batch.sample_fingerprints[index]);
  checksums_.push_back(record_checksum(samples_.back(), rows, entropy));
  starts_.push_back(num_positions_);
  ids_ += batch.ids[index];
  id_starts_.push_back(static_cast<int64_t>(ids_.size()));
}

fs::path CacheWriter::next_shard_path() const {
  int64_t number = 0;
  while (fs::exists(shard_path(directory_, number))) ++number;
  return shard_path(directory_, number);
}

void CacheWriter::write_open_shard() {
  CacheShard shard;
  shard.path = next_shard_path();
  shard.rows = rows_.narrow(0, 0, num_positions_);
  shard.entropy = entropy_.narrow(0, 0, num_positions_);
  shard.samples = view_of(samples_, at::kUInt64);
  shard.checksums = view_of(checksums_, at::kUInt64);
  shard.starts = view_of(starts_, at::kLong);
  shard.id_starts = view_of(id_starts_, at::kLong);
  shard.ids = at::from_blob(ids_.data(), {static_cast<int64_t>(ids_.size())}, at::kByte);
  write_shard(shard, origin_);
  ++num_shards_;
  num_finished_positions_ += std::exchange(num_positions_, 0);
  samples_.clear();
  checksums_.clear();
  starts_ = id_starts_ = {0};
  ids_.clear();
}

void CacheWriter::finish() {
  if (num_positions_ > 0) write_open_shard();
  write_description(directory_, {origin_, /*complete=*/true, num_shards_, index_.size(), num_finished_positions_});
}

}  // namespace vlsi
