#include "checkpoint/feature_files.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/error.h"
#include "base/log.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "features-", kSuffix = ".safetensors";

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// The picture is the seed, so that two records that changed places are found.
uint64_t checksum_of(uint64_t picture, const at::Tensor& features) {
  Checksum checksum(picture);
  checksum.update(bytes_of(features));
  return checksum.value();
}

/// The number in a shard's name; 0 for any other file.
int64_t number_of(const fs::path& path) {
  const auto name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return 0;
  int64_t number = 0;
  const char *first = name.data() + kPrefix.size(), *last = name.data() + name.size() - kSuffix.size();
  const auto [end, error] = std::from_chars(first, last, number);
  return error == std::errc() && end == last ? number : 0;
}

[[noreturn]] void fail_damaged(const fs::path& path, const std::string& what) {
  fail("reading picture features ", path.string(), ": ", what,
       "; remove the file, and its pictures are looked at again");
}

}  // namespace

FeatureFiles::FeatureFiles(const fs::path& directory, const std::string& tower, int64_t width, at::ScalarType dtype,
                           int64_t shard_bytes)
    : folder_(directory / tower), tower_(tower), width_(width), dtype_(dtype), shard_bytes_(shard_bytes) {
  make_directories(folder_);
  lock_ = DirectoryLock::try_to_lock(folder_, "keeping picture features");
  if (lock_) remove_leftovers(folder_);
  std::vector<std::pair<int64_t, fs::path>> found;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (const auto number = number_of(entry.path()); number > 0) found.emplace_back(number, entry.path());
  }
  std::sort(found.begin(), found.end());
  for (const auto& [number, path] : found) open_shard(path);
  if (!found.empty()) next_number_ = found.back().first + 1;
}

FeatureFiles::~FeatureFiles() {
  try {
    write_pending();
  } catch (const std::exception& error) {
    log_warning(error.what());
  }
}

void FeatureFiles::open_shard(const fs::path& path) {
  const auto file = SafetensorsFile::open(path);
  const auto tensor = [&](const char* name, at::ScalarType dtype, int64_t dimensions) {
    const auto found = file->tensors().find(name);
    if (found == file->tensors().end()) fail_damaged(path, concat("tensor '", name, "' is missing"));
    const auto& [_, info] = *found;
    if (info.dtype != dtype || static_cast<int64_t>(info.shape.size()) != dimensions) {
      fail_damaged(path, concat("tensor '", name, "' is ", info.dtype, ' ', at::IntArrayRef(info.shape), ", expected ",
                                dtype, " in ", dimensions, " dimensions"));
    }
    return file->tensor(name);
  };
  Shard shard{path,
              tensor("features", dtype_, 2),
              tensor("pictures", at::kUInt64, 1),
              tensor("checksums", at::kUInt64, 1),
              tensor("starts", at::kLong, 1),
              {}};
  const auto tower = file->metadata().find("tower");
  if (tower == file->metadata().end() || tower->second != tower_) {
    fail_damaged(path, concat("it is of ", tower == file->metadata().end() ? "no tower" : "tower " + tower->second,
                              ", expected tower ", tower_));
  }
  const int64_t num_records = shard.pictures.size(0);
  const auto* starts = shard.starts.const_data_ptr<int64_t>();
  bool fits = shard.features.size(1) == width_ && shard.checksums.size(0) == num_records && num_records <= UINT32_MAX &&
              shard.starts.size(0) == num_records + 1;
  fits = fits && starts[0] == 0 && starts[num_records] == shard.features.size(0);
  for (int64_t i = 0; fits && i < num_records; ++i) fits = starts[i] < starts[i + 1];
  if (!fits) fail_damaged(path, "its tensors contradict one another");
  shard.verified.resize(num_records);
  const auto* pictures = shard.pictures.const_data_ptr<uint64_t>();
  const auto index = static_cast<uint32_t>(shards_.size());
  for (uint32_t i = 0; i < num_records; ++i) places_.emplace(pictures[i], Place{index, i});
  shards_.push_back(std::move(shard));
}

std::optional<at::Tensor> FeatureFiles::find(uint64_t picture) {
  if (const auto waiting = pending_of_.find(picture); waiting != pending_of_.end())
    return pending_[waiting->second].second;
  const auto found = places_.find(picture);
  if (found == places_.end()) return std::nullopt;
  const auto [shard_index, record] = found->second;
  auto& shard = shards_[shard_index];
  const auto* starts = shard.starts.const_data_ptr<int64_t>();
  auto features = shard.features.narrow(0, starts[record], starts[record + 1] - starts[record]);
  if (!shard.verified[record]) {
    if (checksum_of(picture, features) != shard.checksums.const_data_ptr<uint64_t>()[record]) {
      fail_damaged(shard.path, concat("record ", record, " does not have its checksum"));
    }
    shard.verified[record] = true;
  }
  return features;
}

void FeatureFiles::insert(uint64_t picture, const at::Tensor& features) {
  if (!lock_) return;
  auto kept = features.detach().cpu().contiguous();
  pending_bytes_ += static_cast<int64_t>(kept.nbytes());
  pending_of_.emplace(picture, pending_.size());
  pending_.emplace_back(picture, std::move(kept));
  if (pending_bytes_ >= shard_bytes_) write_pending();
}

void FeatureFiles::write_pending() {
  if (pending_.empty()) return;
  const auto num_records = static_cast<int64_t>(pending_.size());
  auto pictures = at::empty({num_records}, at::kUInt64), checksums = at::empty({num_records}, at::kUInt64);
  auto starts = at::zeros({num_records + 1}, at::kLong);
  std::vector<at::Tensor> features;
  for (int64_t i = 0; i < num_records; ++i) {
    const auto& [picture, values] = pending_[i];
    pictures.mutable_data_ptr<uint64_t>()[i] = picture;
    checksums.mutable_data_ptr<uint64_t>()[i] = checksum_of(picture, values);
    starts.mutable_data_ptr<int64_t>()[i + 1] = starts.const_data_ptr<int64_t>()[i] + values.size(0);
    features.push_back(values);
  }
  char name[64];
  std::snprintf(name, sizeof name, "features-%06lld.safetensors", static_cast<long long>(next_number_++));
  write_safetensors(
      folder_ / name,
      {{"features", at::cat(features)}, {"pictures", pictures}, {"checksums", checksums}, {"starts", starts}},
      {{"tower", tower_}});
  pending_.clear();
  pending_of_.clear();
  pending_bytes_ = 0;
  open_shard(folder_ / name);
  shards_.back().verified.assign(num_records, true);
}

}  // namespace vlsi
