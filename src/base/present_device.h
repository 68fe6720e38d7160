// Whether the device that a run computes on is here, and its memory.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

namespace vlsi {

/// How many devices of this kind there are, numbered from 0.
int64_t num_devices(at::DeviceType type);
bool is_here(at::Device device);

/// Bytes that are free on `device` now, which is_here(); of the CPU, available_memory(). Nothing where it does not say.
std::optional<int64_t> free_memory(at::Device device);

/// Most bytes that tensors took on `device`, which is no CPU, at any time so far. Nothing where it does not say.
std::optional<int64_t> peak_memory(at::Device device);

}  // namespace vlsi
