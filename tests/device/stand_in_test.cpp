// The stand-in device catches what an accelerator would fail at, and does what the CPU does.
#include "tests/device/stand_in.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>

#include "base/device_name.h"
#include "base/present_device.h"
#include "base/send.h"
#include "tests/support/sanitizers.h"

namespace vlsi {
namespace {

at::Tensor on_device(const std::vector<float>& values) { return at::tensor(values).to(stand_in::device()); }

/// Killed; or ended by the sanitizer, with its report.
bool is_caught(int status) {
  return kHasSanitizers ? testing::ExitedWithCode(1)(status) : testing::KilledBySignal(SIGSEGV)(status);
}

TEST(StandInDeviceDeathTest, CatchesAHostThatReadsItsMemory) {
  const auto tensor = on_device({1, 2, 3});
  const float* const values = tensor.const_data_ptr<float>();
  EXPECT_EXIT(std::printf("%f", static_cast<double>(values[0])), is_caught, "");
  EXPECT_EXIT(std::memset(tensor.mutable_data_ptr<float>(), 0, 4), is_caught, "");
}

TEST(StandInDevice, RefusesTensorsOfTwoDevices) {
  const auto here = on_device({1, 2, 3}), host = at::ones({3});
  EXPECT_THROW(here + host, c10::Error);
  EXPECT_THROW(host + here, c10::Error);
  EXPECT_THROW(at::cat({here, host}), c10::Error);
  EXPECT_THROW(here.index_select(0, at::tensor({0})), c10::Error);
  EXPECT_TRUE(at::equal((here + at::full({}, 1.0F)).cpu(), at::tensor({2.0F, 3.0F, 4.0F})));  // a number, as on GPUs
}

TEST(StandInDevice, ComputesWhatTheCpuDoes) {
  const auto values = at::arange(24).to(at::kFloat).view({4, 6}).div(7);
  const auto f = [](const at::Tensor& x) {
    auto y = at::log_softmax(x.t().contiguous().narrow(0, 1, 4).unsqueeze(0), -1).matmul(x);
    y.add_(1).select(1, 2).mul_(0.5);
    return at::cat({y.flatten(), x.sum(0), x.gt(1).to(at::kFloat).view(-1), x.unfold(1, 2, 2).reshape(-1)});
  };
  EXPECT_TRUE(at::equal(f(values.to(stand_in::device())).cpu(), f(values)));
}

TEST(StandInDevice, Differentiates) {
  const auto gradient_on = [](at::Device device) {
    const auto x = at::arange(6).to(at::kFloat).view({2, 3}).to(device).requires_grad_(true);
    at::softmax(x.matmul(x.t()), -1).select(0, 0).pow(2).sum().backward();
    return x.grad().cpu();
  };
  EXPECT_TRUE(at::equal(gradient_on(stand_in::device()), gradient_on(at::kCPU)));
}

TEST(StandInDevice, CountsWhatTheHostWaitsFor) {
  const auto x = on_device({1, 0, 3});
  const auto before = stand_in::counts();
  const auto sum = (x * 2).sum();
  EXPECT_EQ(stand_in::counts().waits, before.waits);
  EXPECT_EQ(sum.item<float>(), 8);
  EXPECT_EQ(x.cpu().numel(), 3);
  EXPECT_EQ(x.nonzero().size(0), 2);
  EXPECT_FALSE(at::equal(x, sum));
  EXPECT_EQ(stand_in::counts().waits, before.waits + 4);
  EXPECT_EQ(stand_in::counts().copies_to_device, before.copies_to_device);
  send(at::ones({3}), stand_in::device());
  EXPECT_EQ(stand_in::counts().waits, before.waits + 4);
  at::ones({3}).to(stand_in::device());
  at::ones({3}).to(stand_in::device(), /*non_blocking=*/true);  // from memory that is not pinned
  EXPECT_EQ(stand_in::counts().waits, before.waits + 6);
  EXPECT_GT(stand_in::counts().operations, before.operations);
}

TEST(StandInDevice, HoldsNoNumbersWhereNoneWereWritten) {
  EXPECT_TRUE(at::empty({3}, stand_in::device()).isnan().all().item<bool>());
}

/// The stream for copies.
c10::Stream other_stream() {
  const c10::impl::VirtualGuardImpl guard(at::kPrivateUse1);
  return guard.getStreamFromGlobalPool(stand_in::device());
}

TEST(StandInDevice, CatchesWorkThatDoesNotWaitForAnotherStream) {
  at::Tensor x;
  c10::Event event(at::kPrivateUse1);
  {
    const c10::StreamGuard guard(other_stream());
    x = on_device({1, 2, 3});
    event.record(other_stream());
  }
  EXPECT_THROW(x + 1, c10::Error);
  const c10::impl::VirtualGuardImpl guard(at::kPrivateUse1);
  event.block(guard.getStream(stand_in::device()));
  EXPECT_EQ((x + 1).sum().item<float>(), 9);
  guard.recordDataPtrOnStream(x.storage().data_ptr(), guard.getStream(stand_in::device()));
}

TEST(StandInDeviceDeathTest, CatchesMemoryThatIsFreedWhileAnotherStreamUsesIt) {
  const auto use_and_free = [] {
    auto x = on_device({1, 2, 3});
    c10::Event event(at::kPrivateUse1);
    event.record(c10::impl::VirtualGuardImpl(at::kPrivateUse1).getStream(stand_in::device()));
    event.block(other_stream());
    const c10::StreamGuard guard(other_stream());
    x.sum();
    x.reset();
  };
  EXPECT_DEATH(use_and_free(), "freed while another stream may use it");
}

TEST(StandInDevice, IsSentCopiesOnAStreamOfTheirOwn) {
  const auto before = stand_in::counts();
  Upload upload({at::arange(3), {}, at::ones({2})}, stand_in::device());
  EXPECT_EQ(stand_in::counts().copies_beside, before.copies_beside + 2);
  auto copies = upload.receive();
  EXPECT_FALSE(copies.at(1).defined());
  EXPECT_TRUE(at::equal((copies[0] + 1).cpu(), at::arange(1, 4)));
  EXPECT_TRUE(at::equal((copies[2] + 1).cpu(), at::full({2}, 2.0F)));
  copies.clear();  // the allocator knows that another stream used them
  EXPECT_EQ(stand_in::counts().waits, before.waits + 2);
  EXPECT_TRUE(at::equal(Upload({at::arange(3)}, at::kCPU).receive().at(0), at::arange(3)));
}

TEST(StandInDevice, RunsOutOfMemory) {
  const int64_t before = stand_in::allocated_bytes();
  {
    const stand_in::MemoryLimit limit(1000);
    const auto fits = at::empty({200}, stand_in::device());
    EXPECT_THROW(at::empty({200}, stand_in::device()), c10::OutOfMemoryError);
  }
  EXPECT_EQ(stand_in::allocated_bytes(), before);
}

TEST(StandInDevice, IsADeviceOfTheProgram) {
  const auto device = DeviceName::parse("privateuseone");
  ASSERT_TRUE(device);
  EXPECT_EQ(device->text(), "privateuseone");
  EXPECT_TRUE(is_here(*device) && is_here(at::kCPU));
  EXPECT_FALSE(is_here(at::Device(at::kPrivateUse1, 1)));
  const auto before = free_memory(*device);
  const auto tensor = at::empty({16}, stand_in::device());
  EXPECT_EQ(free_memory(*device), *before - 64);
  EXPECT_GE(*peak_memory(*device), stand_in::allocated_bytes());
}

}  // namespace
}  // namespace vlsi
