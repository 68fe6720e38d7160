#include "base/device_name.h"

namespace vlsi {

std::optional<DeviceName> DeviceName::parse(const std::string& text) {
  try {
    const at::Device device(text);
    if (device.is_cuda() || (device.is_cpu() && !device.has_index())) return DeviceName{device};
  } catch (const c10::Error&) {  // what is no device at all
  }
  return std::nullopt;
}

}  // namespace vlsi
