#include "base/send.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace vlsi {
namespace {

/// The one stream for copies: an allocator keeps what was freed for tensors of the same stream.
c10::Stream copy_stream(at::Device device) {
  static std::mutex mutex;
  static std::map<std::string, c10::Stream> streams;
  const c10::impl::VirtualGuardImpl guard(device.type());
  if (!device.has_index()) device = guard.getDevice();
  const std::lock_guard lock(mutex);
  const auto found = streams.find(device.str());
  if (found != streams.end()) return found->second;
  return streams.emplace(device.str(), guard.getStreamFromGlobalPool(device)).first->second;
}

}  // namespace

at::Tensor send(const at::Tensor& tensor, at::Device device) {
  if (device.is_cpu() || device.is_meta() || !tensor.is_cpu()) return tensor.to(device);
  return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

struct Upload::Event {
  explicit Event(at::Device device) : event(device.type()) {}
  c10::Event event;
};

Upload::Upload(const std::vector<at::Tensor>& tensors, at::Device device) : copies_(tensors) {
  if (device.is_cpu() || device.is_meta()) {
    for (auto& tensor : copies_) {
      if (tensor.defined()) tensor = tensor.to(device);
    }
    return;
  }
  const auto stream = copy_stream(device);
  const c10::StreamGuard guard(stream);
  for (auto& tensor : copies_) {
    if (tensor.defined() && tensor.is_cpu()) tensor = send(tensor, stream.device());
  }
  copied_ = std::make_unique<Event>(device);
  copied_->event.record(stream);
}

Upload::Upload(Upload&&) noexcept = default;
Upload& Upload::operator=(Upload&&) noexcept = default;
Upload::~Upload() = default;

std::vector<at::Tensor> Upload::receive() {
  if (copied_) {
    const auto device = copied_->event.device();
    const c10::impl::VirtualGuardImpl guard(device.type());
    const auto stream = guard.getStream(device);
    copied_->event.block(stream);
    for (const auto& tensor : copies_) {  // not to be reused before the stream is through with them
      if (tensor.defined()) guard.recordDataPtrOnStream(tensor.storage().data_ptr(), stream);
    }
    copied_.reset();
  }
  return std::move(copies_);
}

}  // namespace vlsi
