#include "plan/machine.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/error.h"
#include "model/product.h"

namespace vlsi {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

double measure_products(at::ScalarType dtype, int64_t width, int64_t inner_width, double seconds, at::Device device) {
  // More rows where the product is narrow: in a short one, waiting for the other threads is most of the time on a busy
  // machine.
  constexpr int64_t kLeastRows = 512, kMostRows = 1 << 16, kMultiplications = int64_t{1} << 29;
  const int64_t num_rows = std::clamp(kMultiplications / (width * inner_width), kLeastRows, kMostRows);
  at::NoGradGuard no_grad;
  const auto options = at::TensorOptions(device).dtype(dtype);
  const auto x = at::ones({num_rows, width}, options), weight = at::ones({inner_width, width}, options);
  const double flops =
      2.0 * static_cast<double>(num_rows) * static_cast<double>(width) * static_cast<double>(inner_width);
  const auto multiply = [&] {
    const auto y = affine(x, weight);
    if (!device.is_cpu()) y[0][0].item();  // waits for it
  };
  multiply();  // what a first call alone sets up
  const auto start = Clock::now();
  double best = 0;
  for (int i = 0; i < 2 || seconds_since(start) < seconds; ++i) {
    const auto began = Clock::now();
    multiply();
    best = std::max(best, flops / std::max(1e-9, seconds_since(began)));
  }
  return best;
}

double measure_reading(const std::vector<std::filesystem::path>& files, double seconds) {
  constexpr int64_t kPiece = int64_t{8} << 20;
  constexpr int kPiecesOfFile = 8;
  std::vector<char> buffer(kPiece);
  double bytes = 0;
  const auto start = Clock::now();
  for (int piece = 0; piece < kPiecesOfFile; ++piece) {
    for (const auto& path : files) {
      if (bytes > 0 && seconds_since(start) > seconds) break;
      std::error_code error;
      const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
      std::ifstream file(path, std::ios::binary);
      if (!error && file) {
        file.seekg(size / kPiecesOfFile * piece);
        file.read(buffer.data(), std::min(kPiece, size / kPiecesOfFile));
      }
      if (error || !file) fail("planning: reading ", path.string(), " failed, expected a readable file");
      bytes += static_cast<double>(file.gcount());
    }
  }
  return bytes / std::max(1e-9, seconds_since(start));
}

}  // namespace vlsi
