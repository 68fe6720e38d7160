#include "family/llava_onevision/views.h"

#include <algorithm>
#include <cmath>

namespace vlsi {
namespace {

double real(int64_t number) { return static_cast<double>(number); }

/// A whole number that a product of doubles misses by less than 5e-8 is that number; other fractions are cut off.
int64_t whole(double value) { return static_cast<int64_t>(std::nearbyint(value * 1e7) / 1e7); }

/// The part of a grid of `patches` that the picture fills.
Sides filled_part(Sides patches, Sides picture) {
  const double height = real(picture.height), width = real(picture.width);
  Sides filled = patches;
  if (width / height > real(patches.width) / real(patches.height)) {
    const int64_t exact = whole(height * (real(patches.width) / width));
    filled.height -= (patches.height - exact) / 2 * 2;
  } else {
    const int64_t exact = whole(width * (real(patches.height) / height));
    filled.width -= (patches.width - exact) / 2 * 2;
  }
  return filled;
}

}  // namespace

Sides select_grid(Sides picture, const LlavaOnevisionConfig& config) {
  Sides best;
  int64_t most_kept = 0, least_wasted = 0;
  for (const auto& [height, width] : config.grid_pixels) {
    const double scale = std::min(real(width) / real(picture.width), real(height) / real(picture.height));
    const auto scaled = [&](int64_t side) { return static_cast<int64_t>(real(side) * scale); };
    const int64_t kept = std::min(scaled(picture.width) * scaled(picture.height), picture.width * picture.height);
    const int64_t wasted = height * width - kept;
    if (best.height == 0 || kept > most_kept || (kept == most_kept && wasted < least_wasted)) {
      best = {height, width};
      most_kept = kept;
      least_wasted = wasted;
    }
  }
  return best;
}

Sides size_inside(Sides picture, Sides grid) {
  const double across = real(grid.width) / real(picture.width), down = real(grid.height) / real(picture.height);
  const auto scaled = [](int64_t side, double scale) { return static_cast<int64_t>(std::ceil(real(side) * scale)); };
  if (across < down) return {std::min(scaled(picture.height, across), grid.height), grid.width};
  return {grid.height, std::min(scaled(picture.width, down), grid.width)};
}

ViewLayout layout_of(const PictureShape& picture) {
  const auto& numbers = picture.layout;
  return {{numbers[0], numbers[1]}, {numbers[2], numbers[3]}};
}

Sides kept_patches(Sides filled, const LlavaOnevisionConfig& config) {
  constexpr double kLeastReduction = 1.1;
  const auto side = real(config.side());
  const double reduction = std::sqrt(real(filled.height * filled.width) / (real(config.max_views) * (side * side)));
  if (!(reduction > kLeastReduction)) return filled;
  // How often the reduction goes into a side: the quotient is exact, where a division could round up to it.
  const auto reduced = [&](int64_t patches) {
    return static_cast<int64_t>(std::nearbyint((real(patches) - std::fmod(real(patches), reduction)) / reduction));
  };
  return {reduced(filled.height), reduced(filled.width)};
}

PictureShape shape_of_grid(Sides picture, const LlavaOnevisionConfig& config) {
  const Sides grid = select_grid(picture, config);
  const Sides views{grid.height / config.image_size, grid.width / config.image_size};
  const Sides filled = filled_part({views.height * config.side(), views.width * config.side()}, picture);
  const Sides kept = kept_patches(filled, config);
  const int64_t base = config.view_patches();
  return {base * (1 + views.height * views.width),
          base + kept.height * (kept.width + 1),
          {views.height, views.width, filled.height, filled.width}};
}

PictureShape shape_of_view(const LlavaOnevisionConfig& config) {
  const int64_t base = config.view_patches();
  return {base, base + 1, {}};
}

}  // namespace vlsi
