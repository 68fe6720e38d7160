#include "checkpoint/feature_files.h"

#include <utility>

#include "base/atomic_file.h"
#include "base/log.h"

namespace vlsi {
namespace {

RecordFormat record_format(const std::string& tower, int64_t width, at::ScalarType dtype) {
  return {.prefix = "features-",
          .what = "picture features",
          .record = "picture",
          .remedy = "remove the file, and its pictures are looked at again",
          .origin = tower,
          .other_origin = "it is of another tower than its folder",
          .values = {{"features", dtype, {width}}}};
}

}  // namespace

FeatureFiles::FeatureFiles(const std::filesystem::path& directory, const std::string& tower, int64_t width,
                           at::ScalarType dtype, int64_t shard_bytes) {
  const auto folder = directory / tower;
  make_directories(folder);
  lock_ = DirectoryLock::try_to_lock(folder, "keeping picture features");
  if (lock_) remove_leftovers(folder);
  records_.emplace(folder, record_format(tower, width, dtype), shard_bytes);
}

FeatureFiles::~FeatureFiles() {
  try {
    records_->write_pending();
  } catch (const std::exception& error) {
    log_warning(error.what());
  }
}

std::optional<at::Tensor> FeatureFiles::find(uint64_t picture) {
  auto found = records_->find(picture);
  return found ? std::optional(std::move(found->front())) : std::nullopt;
}

void FeatureFiles::insert(uint64_t picture, const at::Tensor& features) {
  if (!lock_) return;
  records_->make_room(features.size(0));
  records_->add(picture, "", {features.detach()});
}

}  // namespace vlsi
