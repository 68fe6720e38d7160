// Tensors on their way from the host to a device.
#pragma once

#include <ATen/core/Tensor.h>

namespace vlsi {

/// `tensor` on `device`. From the CPU to another device it goes by pinned memory, so that the host waits for nothing
/// that the device has still to do.
at::Tensor send(const at::Tensor& tensor, at::Device device);

}  // namespace vlsi
