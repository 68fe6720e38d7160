#include "data/dataset.h"

#include <algorithm>
#include <system_error>

#include "base/checksum.h"
#include "base/error.h"

namespace vlsi {

RecordFile::Stamp RecordFile::stamp_of(const std::filesystem::path& path) {
  std::error_code ignored;  // opening the file says what is wrong with it
  Stamp stamp;
  stamp.num_bytes = std::filesystem::file_size(path, ignored);
  stamp.time = std::filesystem::last_write_time(path, ignored);
  return stamp;
}

RecordFile::RecordFile(const std::filesystem::path& path, const std::filesystem::path& images,
                       std::shared_ptr<DecodedRowsCache> cache, const Keep& keep)
    : stamp_(stamp_of(path)),
      records_(open_records(path, std::move(cache))),
      images_(images.empty() ? path.parent_path() : images),
      is_whole_(keep.empty()) {
  if (is_whole_) return;
  records_->for_each(keep.columns(), [&](int64_t record, const Json* values) {
    try {
      // A broken record stays: who reads it learns what is wrong, and decides whether it is left out.
      if (values == nullptr || keep.is_true(*values, records_->numbers_are_texts())) kept_.push_back(record);
    } catch (const Error& error) {
      fail(records_->place(record), ": ", error.what());
    }
  });
  kept_.shrink_to_fit();
}

FileFingerprint RecordFile::fingerprint() const {
  return {path().filename().string(), static_cast<int64_t>(records_->file()->bytes().size()),
          hexadecimal(records_->checksum())};
}

std::vector<Stretch> RecordFile::stretches() const {
  auto stretches = records_->stretches();
  if (is_whole_) return stretches;
  std::vector<Stretch> kept;
  int64_t begin = 0;
  for (const auto& stretch : stretches) {
    const auto end = std::lower_bound(kept_.begin(), kept_.end(), stretch.end) - kept_.begin();
    if (end > begin) kept.push_back({end, stretch.num_bytes});
    begin = end;
  }
  return kept;
}

void RecordFile::check_unchanged() const {
  if (stamp_of(path()) == stamp_) return;
  fail("data: ", path().string(), " has changed since it was opened; expected the same size and time to the end");
}

}  // namespace vlsi
