// The memory of the stand-in device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>

#include <cstddef>

namespace vlsi::stand_in {

c10::Allocator& allocator();
/// Where an operation reads and writes what a tensor's address `guarded` names.
void* readable(const void* guarded);
int64_t num_allocations();
/// The memory at a tensor's address is used by this stream, too.
void announce_use(const void* guarded, int64_t stream);

/// Memory of the host that copies need not wait for.
c10::Allocator& pinned_allocator();
bool is_pinned(const void* address);

/// The CPU's name for the memory of a tensor of the device; a tensor of the device with the values of one of the CPU.
at::Tensor on_host(const at::Tensor& tensor);
at::Tensor to_device(const at::Tensor& host);

}  // namespace vlsi::stand_in
