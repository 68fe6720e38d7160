#include "base/device_name.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>

namespace vlsi {

std::optional<DeviceName> DeviceName::parse(const std::string& text) {
  try {
    const at::Device device(text);
    const bool is_private = device.is_privateuseone() && c10::impl::hasDeviceGuardImpl(device.type());
    if (device.is_cuda() || is_private || (device.is_cpu() && !device.has_index())) return DeviceName{device};
  } catch (const c10::Error&) {  // what is no device at all
  }
  return std::nullopt;
}

}  // namespace vlsi
