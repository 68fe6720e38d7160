// Rates of bfloat16 products on a device. Prints one JSON object.
//   device_bench DEVICE POSITIONS WIDTH VOCABULARY    DEVICE as in a run's file
// mm: FLOP/s of at::mm on POSITIONS rows of WIDTH with 8,192 rows of the vocabulary, or with all where they are fewer;
// head: of a head pass, logits and averaged rows, over the whole vocabulary.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "base/device_name.h"
#include "base/error.h"
#include "base/json.h"
#include "base/present_device.h"
#include "objective/head_summary.h"

namespace {

using namespace vlsi;

constexpr int kRounds = 5;
constexpr int64_t kProductRows = 8192;

/// Waits for all that the device has to do.
void finish(at::Device device) {
  if (device.is_cpu()) return;
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeStream(guard.getStream(device));
}

/// Median FLOP/s.
double rate(double flops, at::Device device, const std::function<void()>& action) {
  std::vector<double> rates;
  for (int round = 0; round <= kRounds; ++round) {
    finish(device);
    const auto started = std::chrono::steady_clock::now();
    action();
    finish(device);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
    if (round > 0) rates.push_back(flops / elapsed.count());  // the first one allocates
  }
  std::nth_element(rates.begin(), rates.begin() + kRounds / 2, rates.end());
  return rates[kRounds / 2];
}

OrderedJson measure(at::Device device, int64_t positions, int64_t width, int64_t vocabulary) {
  const auto options = at::TensorOptions(device).dtype(at::kBFloat16);
  const auto rows = at::randn({positions, width}, options), head = at::randn({vocabulary, width}, options).mul_(0.02);
  const auto tile = head.narrow(0, 0, std::min(vocabulary, kProductRows));
  const auto product = 2.0 * static_cast<double>(positions * width);
  const double mm = rate(product * static_cast<double>(tile.size(0)), device, [&] { at::mm(rows, tile.t()); });
  const double pass =
      rate(2 * product * static_cast<double>(vocabulary), device, [&] { head_summary(rows.unsqueeze(0), head, head); });
  return {{"mm", mm}, {"head", pass}};
}

}  // namespace

int main(int argc, char** argv) {
  const auto device = argc == 5 ? DeviceName::parse(argv[1]) : std::nullopt;
  if (!device || !is_here(*device)) {
    std::cerr << "device_bench: expected a device that is here, positions, width and vocabulary\n";
    return 2;
  }
  at::NoGradGuard no_grad;
  std::cout << measure(*device, std::stoll(argv[2]), std::stoll(argv[3]), std::stoll(argv[4])).dump() << "\n";
}
