#include "base/present_device.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <algorithm>

#include "base/memory.h"

namespace vlsi {

int64_t num_devices(at::DeviceType type) {
  return c10::impl::hasDeviceGuardImpl(type) ? c10::impl::getDeviceGuardImpl(type)->deviceCount() : 0;
}

bool is_here(at::Device device) { return std::max<int64_t>(0, device.index()) < num_devices(device.type()); }

std::optional<int64_t> free_memory(at::Device device) {
  if (device.is_cpu()) return available_memory();
  at::globalContext().lazyInitDevice(device.type());
  auto* const allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  if (allocator == nullptr) return std::nullopt;
  const auto current = c10::impl::getDeviceGuardImpl(device.type())->getDevice();
  return static_cast<int64_t>(allocator->getMemoryInfo(device.has_index() ? device.index() : current.index()).first);
}

}  // namespace vlsi
