// Tensors on their way from the host to a device.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace vlsi {

/// `tensor` on `device`. From the CPU to another device it goes by pinned memory, so that the host waits for nothing
/// that the device has still to do; behind what the device was asked before.
at::Tensor send(const at::Tensor& tensor, at::Device device);

/// Copies to a device on a stream of their own, beside what it has still to compute. For what is large: a stream more
/// costs a few small calls.
class Upload {
 public:
  /// Starts copying `tensors`, of which undefined ones stay so, from any thread.
  Upload(const std::vector<at::Tensor>& tensors, at::Device device);
  Upload(Upload&&) noexcept;
  Upload& operator=(Upload&&) noexcept;
  ~Upload();

  /// The copies, once; what this thread asks of the device from now on waits for them there.
  std::vector<at::Tensor> receive();

 private:
  struct Event;
  std::vector<at::Tensor> copies_;
  std::unique_ptr<Event> copied_;  // where there is another device
};

}  // namespace vlsi
