#include "family/qwen_pictures.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/json.h"

namespace vlsi {
namespace {

constexpr int64_t kMaxPatchSize = 1024, kMaxMerge = 64, kMaxPixels = int64_t{1} << 28;
constexpr double kMaxAspectRatio = 200;

/// What the model family's own reader takes where a file names no limits.
constexpr int64_t kUnstatedMinPixels = 56 * 56, kUnstatedMaxPixels = 28 * 28 * 1280;

/// A limit on the area: by its own key, or in `size` by either of two names. Error for a `size` of another kind, such
/// as a height and a width: the reference has no limit there and refuses every picture.
int64_t read_limit(const Json& settings, const std::string& key, const std::string& edge, int64_t absent,
                   const std::string& place) {
  if (vlsi::find<Json>(settings, key, place)) return read_bounded(settings, key, absent, kMaxPixels, place);
  const auto size = vlsi::find<Json>(settings, "size", place);
  if (!size) return absent;
  const auto inside = place + ": size";
  for (const auto& name : {key, edge}) {
    if (vlsi::find<Json>(*size, name, inside)) return read_bounded(*size, name, absent, kMaxPixels, inside);
  }
  fail(place, ": key 'size' is ", size->dump(), ", without a limit '", edge,
       "'; expected shortest_edge and longest_edge, the least and the largest area in pixels");
}

/// The nearest multiple of `factor`; halves go to the even multiple.
int64_t round_to_multiple(int64_t side, int64_t factor) {
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(side) / static_cast<double>(factor))) * factor;
}

/// smart_resize for a picture with limits of its own.
std::pair<int64_t, int64_t> size_of(const ImageSize& stored, const QwenImageConfig& config, const std::string& place,
                                    const PictureLimits& limits) {
  if (limits.resized_height && limits.resized_width)
    return smart_resize(*limits.resized_height, *limits.resized_width, config, place);
  auto own = config;
  own.min_pixels = limits.min_pixels.value_or(config.min_pixels);
  own.max_pixels = limits.max_pixels.value_or(config.max_pixels);
  if (own.min_pixels > own.max_pixels) {
    fail("cannot use picture ", place, ": its min_pixels are ", own.min_pixels,
         limits.min_pixels ? "" : " (the model's)", ", expected at most its max_pixels, ", own.max_pixels,
         limits.max_pixels ? "" : " (the model's)");
  }
  return smart_resize(stored.height, stored.width, own, place);
}

PatchGrid patch_grid(std::pair<int64_t, int64_t> size, const QwenImageConfig& config) {
  return {1, size.first / config.patch_size, size.second / config.patch_size};
}

}  // namespace

QwenImageConfig QwenImageConfig::load(const std::filesystem::path& directory) {
  const auto found = find_picture_settings(directory);
  if (!found) {
    fail("cannot read image settings of ", directory.string(),
         ": found neither preprocessor_config.json nor processor_config.json");
  }
  const auto& [settings, place] = *found;
  refuse_other_steps(settings, place);
  QwenImageConfig config;
  config.min_pixels = read_limit(settings, "min_pixels", "shortest_edge", kUnstatedMinPixels, place);
  config.max_pixels = read_limit(settings, "max_pixels", "longest_edge", kUnstatedMaxPixels, place);
  config.patch_size = read_bounded(settings, "patch_size", config.patch_size, kMaxPatchSize, place);
  config.temporal_patch_size =
      read_bounded(settings, "temporal_patch_size", config.temporal_patch_size, kMaxMerge, place);
  config.merge_size = read_bounded(settings, "merge_size", config.merge_size, kMaxMerge, place);
  config.normalisation.read(settings, place);
  if (config.min_pixels > config.max_pixels) {
    fail(place, ": min_pixels is ", config.min_pixels, ", expected at most max_pixels, which is ", config.max_pixels);
  }
  return config;
}

std::pair<int64_t, int64_t> smart_resize(int64_t height, int64_t width, const QwenImageConfig& config,
                                         const std::string& place) {
  const int64_t factor = config.patch_size * config.merge_size;
  const auto h = static_cast<double>(height), w = static_cast<double>(width), f = static_cast<double>(factor);
  if (std::max(h, w) / std::min(h, w) > kMaxAspectRatio) {
    fail("cannot use picture ", place, ": found ", width, "x", height, " pixels, expected one side to be at most ",
         kMaxAspectRatio, " times the other");
  }
  int64_t new_height = round_to_multiple(height, factor), new_width = round_to_multiple(width, factor);
  if (new_height * new_width > config.max_pixels) {
    const double beta = std::sqrt(h * w / static_cast<double>(config.max_pixels));
    new_height = std::max(factor, static_cast<int64_t>(std::floor(h / beta / f)) * factor);
    new_width = std::max(factor, static_cast<int64_t>(std::floor(w / beta / f)) * factor);
  } else if (new_height * new_width < config.min_pixels) {
    const double beta = std::sqrt(static_cast<double>(config.min_pixels) / (h * w));
    new_height = static_cast<int64_t>(std::ceil(h * beta / f)) * factor;
    new_width = static_cast<int64_t>(std::ceil(w * beta / f)) * factor;
  }
  return {new_height, new_width};
}

PicturePatches cut_patches(const Image& image, const QwenImageConfig& config, const std::string& place,
                           const PictureLimits& limits) {
  const auto size = size_of({image.height, image.width}, config, place, limits);
  const auto [height, width] = size;
  const Image resized = resize_bicubic(image, height, width);
  const auto values = config.normalisation.byte_values();
  const int64_t patch = config.patch_size, merge = config.merge_size;

  const auto grid = patch_grid(size, config);
  PicturePatches patches;
  patches.shape = shape_of(grid, merge);
  const int64_t row_size = 3 * config.temporal_patch_size * patch * patch;
  patches.rows = at::empty({patches.shape.num_patches, row_size}, at::kFloat);
  float* out = patches.rows.mutable_data_ptr<float>();

  // One row of `patches.rows`: [channel, frame, patch row, patch column], a still picture repeated over the frames.
  const auto write_patch = [&](int64_t top, int64_t left) {
    for (size_t channel = 0; channel < 3; ++channel) {
      const float* first_frame = out;
      for (int64_t y = top; y < top + patch; ++y) {
        const uint8_t* in = resized.rgb.data() + (y * width + left) * 3 + channel;
        for (int64_t x = 0; x < patch; ++x) *out++ = values[channel][in[x * 3]];
      }
      for (int64_t frame = 1; frame < config.temporal_patch_size; ++frame) {
        out = std::copy_n(first_frame, patch * patch, out);
      }
    }
  };
  for (int64_t block_row = 0; block_row < grid.h; block_row += merge) {
    for (int64_t block_column = 0; block_column < grid.w; block_column += merge) {
      for (int64_t row = block_row; row < block_row + merge; ++row) {
        for (int64_t column = block_column; column < block_column + merge; ++column) {
          write_patch(row * patch, column * patch);
        }
      }
    }
  }
  return patches;
}

QwenPictureReader::QwenPictureReader(const std::filesystem::path& directory, const QwenVision& tower)
    : config_(QwenImageConfig::load(directory)) {
  for (const auto& [what, found, expected] :
       {std::tuple("patch_size", config_.patch_size, tower.patch_size),
        std::tuple("temporal_patch_size", config_.temporal_patch_size, tower.temporal_patch_size),
        std::tuple("merge_size", config_.merge_size, tower.spatial_merge_size),
        std::tuple("number of channels", std::ssize(config_.normalisation.mean), tower.in_channels)}) {
    if (found != expected) {
      fail("loading the model in ", directory.string(), ": the ", what, " of its picture settings is ", found,
           ", that of config.json's vision tower ", expected, "; expected the same");
    }
  }
}

PicturePatches QwenPictureReader::read(const Image& image, const PictureLimits& limits, size_t,
                                       const std::string& place) const {
  return cut_patches(image, config_, place, limits);
}

PictureShape QwenPictureReader::shape(const ImageSize& size, const PictureLimits& limits, size_t,
                                      const std::string& place) const {
  return shape_of(patch_grid(size_of(size, config_, place, limits), config_), config_.merge_size);
}

std::array<int64_t, 3> QwenPictureReader::token_grid(const PictureShape& picture) const {
  const auto grid = grid_of(picture);
  return {grid.t, grid.h / config_.merge_size, grid.w / config_.merge_size};
}

std::string QwenPictureReader::settings_text() const {
  const auto& c = config_;
  return concat("merged patches, ", c.min_pixels, " to ", c.max_pixels, " pixels, patch ", c.patch_size, ", frames ",
                c.temporal_patch_size, ", merge ", c.merge_size, ", ", c.normalisation.text());
}

}  // namespace vlsi
