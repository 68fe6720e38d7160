// A device that stands in for an accelerator: LibTorch's key for private devices, with memory that the host cannot
// read.
//
// Its tensors' addresses belong to pages without any access, so that a host that reads or writes one ends by SIGSEGV,
// whatever else is going on. The same memory is mapped a second time, readable, for the operations alone. They are the
// CPU's, on tensors that name that second mapping. An operation on tensors of two devices is an error, as on a GPU; so
// is one on memory that another stream may still be working on (stand_in_streams.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace vlsi::stand_in {

inline at::Device device() { return {at::kPrivateUse1, 0}; }

/// What the device was asked since the program started.
struct Counts {
  int64_t operations = 0;
  int64_t copies_to_device = 0;
  int64_t copies_beside = 0;  // of these, on another stream than that which computes
  int64_t allocations = 0;
  /// Of the host for the device: copies to the host, copies from it that are not sent from pinned memory, and
  /// operations whose result the host needs.
  int64_t waits = 0;
};
Counts counts();

/// Bytes of all tensors that live.
int64_t allocated_bytes();
/// An allocation beyond so many bytes fails as a GPU's would; the size of the memory by default.
void limit_memory(int64_t bytes);
int64_t memory_bytes();
/// Lets allocation number `number`, as counts() counts them, fail; 0 for none.
void fail_allocation(int64_t number);

/// Limits the memory, as long as it lives, to what is allocated and `more`.
class MemoryLimit {
 public:
  explicit MemoryLimit(int64_t more) { limit_memory(allocated_bytes() + more); }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  ~MemoryLimit() { limit_memory(memory_bytes()); }
};

}  // namespace vlsi::stand_in
