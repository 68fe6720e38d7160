#include "base/send.h"

#include <ATen/ATen.h>

namespace vlsi {

at::Tensor send(const at::Tensor& tensor, at::Device device) {
  if (device.is_cpu() || device.is_meta() || !tensor.is_cpu()) return tensor.to(device);
  return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace vlsi
