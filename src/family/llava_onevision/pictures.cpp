#include "family/llava_onevision/pictures.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <mutex>

#include "base/error.h"
#include "base/log.h"

namespace vlsi {
namespace {

constexpr Normalisation kClip{{0.48145466, 0.4578275, 0.40821073}, {0.26862954, 0.26130258, 0.27577711}};
constexpr Normalisation kSiglip{{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};

/// Writes patches one after the other, each [channel, patch row, patch column].
class PatchWriter {
 public:
  PatchWriter(const PictureShape& shape, const LlavaOnevisionConfig& config, const Normalisation& normalisation)
      : config_(config),
        values_(normalisation.byte_values()),
        patches_{at::empty({shape.num_patches, config.patch_values()}, at::kFloat), shape},
        out_(patches_.rows.mutable_data_ptr<float>()) {}

  /// The view whose upper left corner is at this place of `image`.
  void add_view(const Image& image, int64_t top, int64_t left) {
    const int64_t patch = config_.patch_size;
    for (int64_t row = 0; row < config_.side(); ++row) {
      for (int64_t column = 0; column < config_.side(); ++column)
        add_patch(image, top + row * patch, left + column * patch);
    }
  }

  PicturePatches finish() {
    TORCH_CHECK(out_ == patches_.rows.const_data_ptr<float>() + patches_.rows.numel(), "the shape has other patches");
    return std::move(patches_);
  }

 private:
  void add_patch(const Image& image, int64_t top, int64_t left) {
    const int64_t patch = config_.patch_size;
    for (size_t channel = 0; channel < 3; ++channel) {
      for (int64_t y = top; y < top + patch; ++y) {
        const uint8_t* in = image.rgb.data() + (y * image.width + left) * 3 + channel;
        for (int64_t x = 0; x < patch; ++x) *out_++ = values_[channel][in[x * 3]];
      }
    }
  }

  const LlavaOnevisionConfig& config_;
  std::array<std::array<float, 256>, 3> values_;
  PicturePatches patches_;
  float* out_;
};

/// The height and width of a view, or the shortest edge that is both.
void check_size(const Json& settings, const std::string& place, int64_t expected) {
  const auto size = find<Json>(settings, "size", place);
  if (!size) return;
  for (const char* key : {"height", "width", "shortest_edge"}) {
    const int64_t found = find<int64_t>(*size, key, place + ": size").value_or(expected);
    if (found != expected) {
      fail(place, ": key 'size' has ", key, ' ', found, ", config.json's vision tower image_size ", expected,
           "; expected the same");
    }
  }
}

void check_grids(const Json& settings, const std::string& place, const LlavaOnevisionConfig& model) {
  const auto grids = find<Json>(settings, "image_grid_pinpoints", place);
  if (grids && *grids != Json(model.grid_pixels))
    fail(place, ": key 'image_grid_pinpoints' is not that of config.json, expected the same");
}

/// shape_of_grid of a picture that is thick enough.
PictureShape checked_shape(Sides size, const LlavaOnevisionConfig& config, const std::string& place) {
  const auto shape = shape_of_grid(size, config);
  const auto filled = layout_of(shape).filled, kept = kept_patches(filled, config);
  if (kept != filled && (kept.height < 1 || kept.width < 1)) {
    fail("cannot use picture ", place, ": found ", size.width, "x", size.height, " pixels, whose ", filled.width, "x",
         filled.height, " patches anyres_max_", config.max_views, " reduces to ", kept.width, "x", kept.height,
         "; expected a less thin one");
  }
  return shape;
}

/// The side of the square that a picture beside others is padded to.
int64_t checked_square(Sides size, const std::string& place) {
  const int64_t side = std::max(size.height, size.width);
  if (side > kMostImagePixels / side) {
    fail("cannot use picture ", place, " beside others: found ", size.width, "x", size.height,
         " pixels, padded to a square of ", side, "x", side, ", expected at most ", kMostImagePixels, " in all");
  }
  return side;
}

}  // namespace

Normalisation load_llava_onevision_normalisation(const std::filesystem::path& directory,
                                                 const LlavaOnevisionConfig& model) {
  const auto found = find_picture_settings(directory);
  if (!found) return kSiglip;
  const auto& [settings, place] = *found;
  refuse_other_steps(settings, place);
  check_size(settings, place, model.image_size);
  check_grids(settings, place, model);
  Normalisation normalisation = kClip;
  normalisation.read(settings, place);
  return normalisation;
}

PicturePatches cut_grid(const Image& image, const LlavaOnevisionConfig& config, const Normalisation& normalisation,
                        const std::string& place) {
  const Sides size{image.height, image.width}, grid = select_grid(size, config), inside = size_inside(size, grid);
  const int64_t view = config.image_size;
  PatchWriter writer(checked_shape(size, config, place), config, normalisation);
  writer.add_view(resize_bicubic(image, view, view), 0, 0);
  const auto padded = pad(resize_bicubic(image, inside.height, inside.width), grid.height, grid.width, {0, 0, 0});
  for (int64_t top = 0; top < grid.height; top += view) {
    for (int64_t left = 0; left < grid.width; left += view) writer.add_view(padded, top, left);
  }
  return writer.finish();
}

PicturePatches cut_view(const Image& image, const LlavaOnevisionConfig& config, const Normalisation& normalisation,
                        const std::string& place) {
  const int64_t side = checked_square({image.height, image.width}, place), view = config.image_size;
  std::array<uint8_t, 3> colour{};
  for (size_t channel = 0; channel < 3; ++channel)
    colour[channel] = static_cast<uint8_t>(std::clamp(normalisation.mean[channel] * 255, 0.0, 255.0));
  PatchWriter writer(shape_of_view(config), config, normalisation);
  writer.add_view(resize_bicubic(pad(image, side, side, colour), view, view), 0, 0);
  return writer.finish();
}

PicturePatches LlavaOnevisionPictureReader::read(const Image& image, const PictureLimits& limits, size_t num_pictures,
                                                 const std::string& place) const {
  if (limits != PictureLimits{}) {
    static std::once_flag once;
    std::call_once(once, [&] {
      log_warning(concat("picture ", place,
                         " has limits of its own (min_pixels, max_pixels or resized_*), which LLaVA-OneVision's "
                         "grid of views does not know: they are passed over, here and in what follows"));
    });
  }
  return num_pictures == 1 ? cut_grid(image, config_, normalisation_, place)
                           : cut_view(image, config_, normalisation_, place);
}

PictureShape LlavaOnevisionPictureReader::shape(const ImageSize& size, const PictureLimits&, size_t num_pictures,
                                                const std::string& place) const {
  if (num_pictures == 1) return checked_shape({size.height, size.width}, config_, place);
  checked_square({size.height, size.width}, place);
  return shape_of_view(config_);
}

std::array<int64_t, 3> LlavaOnevisionPictureReader::token_grid(const PictureShape& picture) const {
  return {1, 1, picture.num_rows};  // positions have one axis
}

std::string LlavaOnevisionPictureReader::settings_text() const {
  std::string grids;
  for (const auto& [height, width] : config_.grid_pixels)
    grids += concat(' ', height / config_.image_size, 'x', width / config_.image_size);
  return concat("llava_onevision, views of ", config_.image_size, " pixels, patch ", config_.patch_size,
                ", at most the patches of ", config_.max_views, ", grids", grids, ", ", normalisation_.text());
}

}  // namespace vlsi
