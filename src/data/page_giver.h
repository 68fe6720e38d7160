// The pages of mapped files that are gone through from their beginning to their end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/checksum.h"
#include "base/mapped_file.h"

namespace vlsi {

/// Gives back the pages of a mapped file, from where it did last time on, 32 MiB at a time.
class PageGiver {
 public:
  static constexpr size_t kAtOnce = size_t{32} << 20;

  explicit PageGiver(const MappedFile& file) : file_(file) {}
  /// Those up to byte `end`, when they are enough.
  void give(size_t end) {
    constexpr size_t kPage = 4096;
    end = end / kPage * kPage;
    if (end < done_ + kAtOnce) return;
    release(file_.bytes().subspan(done_, end - done_));
    done_ = end;
  }

 private:
  const MappedFile& file_;
  size_t done_ = 0;
};

/// XXH3 of all bytes, whose pages do not stay in memory.
inline uint64_t checksum_of(const MappedFile& file) {
  Checksum checksum;
  PageGiver pages(file);
  const auto bytes = file.bytes();
  for (size_t begin = 0; begin < bytes.size(); begin += PageGiver::kAtOnce) {
    const size_t count = std::min(PageGiver::kAtOnce, bytes.size() - begin);
    checksum.update(bytes.subspan(begin, count));
    pages.give(begin + count);
  }
  return checksum.value();
}

}  // namespace vlsi
