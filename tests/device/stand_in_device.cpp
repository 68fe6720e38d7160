// What LibTorch asks of a device: how many there are, which is the current one, its stream, its allocator.
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "tests/device/stand_in.h"
#include "tests/device/stand_in_memory.h"
#include "tests/device/stand_in_streams.h"

namespace vlsi::stand_in {
namespace {

/// One device with two streams, whose work is done when it has been asked for.
class Guard final : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return at::kPrivateUse1; }
  at::Device exchangeDevice(at::Device) const override { return device(); }
  at::Device getDevice() const override { return device(); }
  void setDevice(at::Device wanted) const override { TORCH_CHECK(wanted.index() <= 0); }
  void uncheckedSetDevice(at::Device) const noexcept override {}
  c10::Stream getStream(at::Device) const override { return stream(current_stream()); }
  c10::Stream getDefaultStream(at::Device) const override { return stream(0); }
  c10::Stream getStreamFromGlobalPool(at::Device, bool) const override { return stream(1); }
  c10::Stream exchangeStream(c10::Stream wanted) const override { return stream(exchange_stream(wanted.id())); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void** event, const c10::Stream& stream, c10::DeviceIndex, c10::EventFlag) const override {
    if (*event == nullptr) *event = new Clock();
    *static_cast<Clock*>(*event) = clock_of(stream.id());
  }
  void block(void* event, const c10::Stream& stream) const override {
    wait_for(stream.id(), *static_cast<const Clock*>(event));
  }
  void destroyEvent(void* event, c10::DeviceIndex) const noexcept override { delete static_cast<Clock*>(event); }
  void recordDataPtrOnStream(const c10::DataPtr& data, const c10::Stream& stream) const override {
    announce_use(data.get(), stream.id());
  }
  bool queryEvent(void*) const override { return true; }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}

 private:
  static c10::Stream stream(int64_t number) { return c10::Stream(c10::Stream::UNSAFE, device(), number); }
};

class Hooks final : public at::PrivateUse1HooksInterface {
 public:
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  bool isPinnedPtr(const void* address) const override { return is_pinned(address); }
  c10::Allocator* getPinnedMemoryAllocator() const override { return &pinned_allocator(); }
  at::Device getDeviceFromPtr(void*) const override { return device(); }

  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    auto data = allocator().allocate(bytes);
    if (const size_t kept = std::min(bytes, storage.nbytes()); kept > 0)
      allocator().copy_data(data.get(), storage.data(), kept);
    storage.unsafeGetStorageImpl()->set_data_ptr_noswap(std::move(data));
    storage.unsafeGetStorageImpl()->set_nbytes(bytes);
  }
};

const bool is_registered = [] {
  static Guard guard;
  static Hooks hooks;
  c10::impl::DeviceGuardImplRegistrar(at::kPrivateUse1, &guard);
  c10::register_privateuse1_backend("privateuseone");
  at::RegisterPrivateUse1HooksInterface(&hooks);
  c10::SetAllocator(at::kPrivateUse1, &allocator());
  return true;
}();

}  // namespace
}  // namespace vlsi::stand_in
