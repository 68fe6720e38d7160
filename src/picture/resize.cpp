// PIL's antialiased bicubic resize on bytes: two separable passes with fixed-point weights; and borders.
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>

#include "picture/picture.h"

namespace vlsi {
namespace {

constexpr int kPrecisionBits = 22;
constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);
constexpr double kCubicA = -0.5, kCubicSupport = 2.0;

/// The weights of one axis: output i is the sum over k < count[i] of weight[i * stride + k] * input[first[i] + k].
struct Taps {
  int64_t stride = 0;
  std::vector<int64_t> first, count;
  std::vector<int32_t> weight;  // 22-bit fixed point
};

double cubic(double x) {
  x = std::abs(x);
  if (x < 1.0) return ((kCubicA + 2.0) * x - (kCubicA + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * kCubicA;
  return 0.0;
}

Taps make_taps(int64_t in_size, int64_t out_size) {
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  // Reducing widens the kernel by the factor of reduction: the antialiasing.
  const double filter_scale = std::max(scale, 1.0), support = kCubicSupport * filter_scale;
  Taps taps;
  taps.stride = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  taps.first.resize(out_size);
  taps.count.resize(out_size);
  taps.weight.resize(taps.stride * out_size);
  std::vector<double> weights(taps.stride);
  for (int64_t i = 0; i < out_size; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t count = std::min(static_cast<int64_t>(center + support + 0.5), in_size) - first;
    double sum = 0.0;
    for (int64_t k = 0; k < count; ++k) {
      weights[k] = cubic((static_cast<double>(k + first) - center + 0.5) * (1.0 / filter_scale));
      sum += weights[k];
    }
    taps.first[i] = first;
    taps.count[i] = count;
    for (int64_t k = 0; k < count; ++k) {
      const double weight = sum != 0.0 ? weights[k] / sum : weights[k];
      taps.weight[i * taps.stride + k] =
          static_cast<int32_t>(weight * (1 << kPrecisionBits) + (weight < 0 ? -0.5 : 0.5));
    }
  }
  return taps;
}

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

Image resize_width(const Image& image, int64_t width) {
  const Taps taps = make_taps(image.width, width);
  Image resized{image.height, width, std::vector<uint8_t>(image.height * width * 3)};
  uint8_t* out = resized.rgb.data();
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* row = image.rgb.data() + y * image.width * 3;
    for (int64_t x = 0; x < width; ++x) {
      const int32_t* weight = taps.weight.data() + x * taps.stride;
      const uint8_t* in = row + taps.first[x] * 3;
      int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (int64_t k = 0; k < taps.count[x]; ++k, in += 3) {
        red += in[0] * weight[k];
        green += in[1] * weight[k];
        blue += in[2] * weight[k];
      }
      *out++ = to_byte(red);
      *out++ = to_byte(green);
      *out++ = to_byte(blue);
    }
  }
  return resized;
}

Image resize_height(const Image& image, int64_t height) {
  const Taps taps = make_taps(image.height, height);
  const int64_t row_bytes = image.width * 3;
  Image resized{height, image.width, std::vector<uint8_t>(height * row_bytes)};
  std::vector<int32_t> sums(row_bytes);
  for (int64_t y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int64_t k = 0; k < taps.count[y]; ++k) {
      const uint8_t* in = image.rgb.data() + (taps.first[y] + k) * row_bytes;
      const int32_t weight = taps.weight[y * taps.stride + k];
      for (int64_t i = 0; i < row_bytes; ++i) sums[i] += in[i] * weight;
    }
    std::transform(sums.begin(), sums.end(), resized.rgb.begin() + y * row_bytes, to_byte);
  }
  return resized;
}

}  // namespace

Image resize_bicubic(const Image& image, int64_t height, int64_t width) {
  TORCH_CHECK(height >= 1 && width >= 1 && image.height >= 1 && image.width >= 1, "resize_bicubic: a side is below 1");
  // A pass that keeps its size is left out, as PIL does.
  if (image.width == width) return image.height == height ? image : resize_height(image, height);
  if (image.height == height) return resize_width(image, width);
  // PIL's order since version 13; each pass rounds to bytes, so the order shows.
  const int64_t lost_height = image.height - height, lost_width = image.width - width;
  const bool height_first = lost_height > 0 && lost_height > 2 * lost_width;
  return height_first ? resize_width(resize_height(image, height), width)
                      : resize_height(resize_width(image, width), height);
}

Image pad(const Image& image, int64_t height, int64_t width, std::array<uint8_t, 3> colour) {
  TORCH_CHECK(height >= image.height && width >= image.width, "pad: a side is below the picture's");
  Image padded{height, width, std::vector<uint8_t>(height * width * 3)};
  for (size_t i = 0; i < padded.rgb.size(); ++i) padded.rgb[i] = colour[i % 3];
  const int64_t top = (height - image.height) / 2, left = (width - image.width) / 2;
  for (int64_t y = 0; y < image.height; ++y) {
    std::copy_n(image.rgb.begin() + y * image.width * 3, image.width * 3,
                padded.rgb.begin() + ((top + y) * width + left) * 3);
  }
  return padded;
}

}  // namespace vlsi
