// One file in memory, mapped twice: without access for tensors' addresses, readable for the device's operations.
#include "tests/device/stand_in_memory.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "tests/device/stand_in.h"
#include "tests/device/stand_in_streams.h"

namespace vlsi::stand_in {
namespace {

constexpr size_t kBytes = size_t{8} << 30;  // pages that nothing was written to take no memory
constexpr size_t kAlignment = 64;
/// Memory that nothing was written to yet holds no numbers, so that what reads it shows; of large pieces, the
/// beginning.
constexpr size_t kMarkedBytes = size_t{1} << 20;

/// A smaller device than there is, by the environment's STAND_IN_BYTES.
size_t first_limit() {
  const char* const bytes = std::getenv("STAND_IN_BYTES");
  return bytes == nullptr ? kBytes : std::stoull(bytes);
}

class Memory {
 public:
  Memory() {
    const int file = ::memfd_create("stand-in device", MFD_CLOEXEC);
    TORCH_CHECK(file >= 0 && ::ftruncate(file, kBytes) == 0, "no memory for the stand-in device");
    guarded_ = map(file, PROT_NONE);
    readable_ = map(file, PROT_READ | PROT_WRITE);
    ::close(file);
    free_[0] = kBytes;
  }

  void* take(size_t wanted) {
    const size_t size = (wanted + kAlignment - 1) / kAlignment * kAlignment;
    const std::lock_guard lock(mutex_);
    const auto fits = [&](const auto& piece) { return piece.second >= size; };
    const auto found = std::find_if(free_.begin(), free_.end(), fits);
    TORCH_CHECK_WITH(OutOfMemoryError,
                     found != free_.end() && allocated_ + size <= limit_ && ++num_allocations_ != failing_,

                     "the device is out of memory: tried to allocate ", wanted, " bytes, ", allocated_, " of ", limit_,
                     " are taken");
    const auto [offset, length] = *found;
    free_.erase(found);
    if (length > size) free_[offset + size] = length - size;
    taken_[offset] = {size, begin_uses()};
    allocated_ += size;
    peak_ = std::max(peak_, allocated_);
    std::memset(readable_ + offset, 0xFF, std::min(size, kMarkedBytes));
    return guarded_ + offset;
  }

  void give_back(const void* address) {
    const std::lock_guard lock(mutex_);
    const auto taken = taken_.find(static_cast<size_t>(static_cast<const char*>(address) - guarded_));
    end(taken->second.uses);
    allocated_ -= taken->second.bytes;
    auto piece = free_.emplace(taken->first, taken->second.bytes).first;
    taken_.erase(taken);
    if (const auto next = std::next(piece); next != free_.end() && piece->first + piece->second == next->first) {
      piece->second += next->second;
      free_.erase(next);
    }
    if (piece == free_.begin()) return;
    if (const auto previous = std::prev(piece); previous->first + previous->second == piece->first) {
      previous->second += piece->second;
      free_.erase(piece);
    }
  }

  /// For a use by the current stream.
  void* readable(const void* guarded) {
    const std::lock_guard lock(mutex_);
    use(piece_at(guarded).uses);
    return readable_ + (static_cast<const char*>(guarded) - guarded_);
  }

  void announce_use(const void* guarded, int64_t stream) {
    const std::lock_guard lock(mutex_);
    if (guarded != nullptr) piece_at(guarded).uses.announced.set(stream);
  }

  size_t peak() const {
    const std::lock_guard lock(mutex_);
    return peak_;
  }

  size_t allocated() const {
    const std::lock_guard lock(mutex_);
    return allocated_;
  }

  int64_t num_allocations() const {
    const std::lock_guard lock(mutex_);
    return num_allocations_;
  }

  void fail_at(int64_t number) {
    const std::lock_guard lock(mutex_);
    failing_ = number;
  }

  size_t left() const {
    const std::lock_guard lock(mutex_);
    return limit_ - allocated_;
  }

  void limit(size_t bytes) {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }

 private:
  struct Taken {
    size_t bytes = 0;
    Uses uses = {};
  };

  Taken& piece_at(const void* guarded) {
    return std::prev(taken_.upper_bound(static_cast<size_t>(static_cast<const char*>(guarded) - guarded_)))->second;
  }

  static char* map(int file, int access) {
    void* const place = ::mmap(nullptr, kBytes, access, MAP_SHARED | MAP_NORESERVE, file, 0);
    TORCH_CHECK(place != MAP_FAILED, "no address space for the stand-in device");
    return static_cast<char*>(place);
  }

  mutable std::mutex mutex_;
  char *guarded_ = nullptr, *readable_ = nullptr;
  std::map<size_t, size_t> free_;  // offset -> bytes
  std::map<size_t, Taken> taken_;
  size_t allocated_ = 0, peak_ = 0, limit_ = first_limit();
  int64_t num_allocations_ = 0, failing_ = 0;
};

/// Lives as long as the last tensor: longer than everything that is destroyed at the end.
Memory& memory() {
  static auto* const all = new Memory();
  return *all;
}

void give_back(void* address) {
  if (address != nullptr) memory().give_back(address);
}

class StandInAllocator : public c10::DeviceAllocator {
 public:
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    c10::CachingDeviceAllocator::DeviceStats stats;
    stats.allocated_bytes[0].peak = static_cast<int64_t>(memory().peak());  // of all kinds
    return stats;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override {}
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex) override { return {memory().left(), kBytes}; }

  c10::DataPtr allocate(size_t bytes) override {
    void* const address = bytes == 0 ? nullptr : memory().take(bytes);
    return {address, address, &give_back, device()};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(readable(to), readable(from), bytes);
  }
};

std::mutex pinned_mutex;
std::map<const char*, size_t> pinned;  // address -> bytes

void free_pinned(void* address) {
  const std::lock_guard lock(pinned_mutex);
  pinned.erase(static_cast<char*>(address));
  std::free(address);
}

class PinnedAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    auto* const address = static_cast<char*>(std::malloc(std::max<size_t>(bytes, 1)));
    const std::lock_guard lock(pinned_mutex);
    pinned[address] = std::max<size_t>(bytes, 1);
    return {address, address, &free_pinned, at::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_pinned; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};

}  // namespace

c10::Allocator& pinned_allocator() {
  static PinnedAllocator allocator;
  return allocator;
}

bool is_pinned(const void* address) {
  const std::lock_guard lock(pinned_mutex);
  const auto* const place = static_cast<const char*>(address);
  const auto behind = pinned.upper_bound(place);
  return behind != pinned.begin() && place < std::prev(behind)->first + std::prev(behind)->second;
}

c10::Allocator& allocator() {
  static StandInAllocator allocator;
  return allocator;
}

void* readable(const void* guarded) { return memory().readable(guarded); }
void announce_use(const void* guarded, int64_t stream) { memory().announce_use(guarded, stream); }
int64_t allocated_bytes() { return static_cast<int64_t>(memory().allocated()); }
void limit_memory(int64_t bytes) { memory().limit(static_cast<size_t>(bytes)); }
int64_t memory_bytes() { return static_cast<int64_t>(kBytes); }
int64_t num_allocations() { return memory().num_allocations(); }
void fail_allocation(int64_t number) { memory().fail_at(number); }

}  // namespace vlsi::stand_in
