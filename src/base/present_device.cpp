#include "base/present_device.h"

#include <ATen/Context.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <algorithm>

#include "base/memory.h"

namespace vlsi {
namespace {

c10::DeviceIndex number_of(at::Device device) {
  return device.has_index() ? device.index() : c10::impl::getDeviceGuardImpl(device.type())->getDevice().index();
}

}  // namespace

int64_t num_devices(at::DeviceType type) {
  return c10::impl::hasDeviceGuardImpl(type) ? c10::impl::getDeviceGuardImpl(type)->deviceCount() : 0;
}

bool is_here(at::Device device) { return std::max<int64_t>(0, device.index()) < num_devices(device.type()); }

std::optional<int64_t> free_memory(at::Device device) {
  if (device.is_cpu()) return available_memory();
  at::globalContext().lazyInitDevice(device.type());
  auto* const allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  if (allocator == nullptr) return std::nullopt;
  return static_cast<int64_t>(allocator->getMemoryInfo(number_of(device)).first);
}

std::optional<int64_t> peak_memory(at::Device device) {
  auto* const allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  if (allocator == nullptr || !allocator->initialized()) return std::nullopt;
  using c10::CachingAllocator::StatType;
  return allocator->getDeviceStats(number_of(device)).allocated_bytes[static_cast<size_t>(StatType::AGGREGATE)].peak;
}

}  // namespace vlsi
