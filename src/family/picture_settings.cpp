#include "family/picture_settings.h"

#include <algorithm>
#include <cmath>

namespace vlsi {
namespace {

constexpr double kByteScale = 1.0 / 255;
constexpr int64_t kBicubic = 3;  // PIL's number for it

void read_channels(const Json& settings, const std::string& key, std::array<double, 3>& values,
                   const std::string& place) {
  const auto found = find<std::vector<double>>(settings, key, place);
  if (!found) return;
  if (found->size() != values.size()) fail(place, ": key '", key, "' has ", found->size(), " values, expected 3");
  for (double value : *found) {
    if (!std::isfinite(value)) fail(place, ": key '", key, "' holds ", value, ", expected finite numbers");
  }
  std::copy(found->begin(), found->end(), values.begin());
}

}  // namespace

std::optional<PictureSettings> find_picture_settings(const std::filesystem::path& directory) {
  const auto own = directory / "preprocessor_config.json", shared = directory / "processor_config.json";
  const bool has_own = std::filesystem::exists(own);
  if (std::filesystem::exists(shared)) {
    const auto json = read_json(shared);
    if (const auto part = find<Json>(json, "image_processor", shared.string()))
      return PictureSettings{*part, shared.string() + ": image_processor"};
    if (!has_own)
      fail(shared.string(), ": key 'image_processor' is missing, and there is no ", own.filename().string());
  }
  if (!has_own) return std::nullopt;
  return PictureSettings{read_json(own), own.string()};
}

int64_t read_bounded(const Json& settings, const std::string& key, int64_t absent, int64_t highest,
                     const std::string& place) {
  const int64_t value = find<int64_t>(settings, key, place).value_or(absent);
  if (value < 1 || value > highest) {
    fail(place, ": key '", key, "' is ", value, ", expected an integer from 1 to ", highest);
  }
  return value;
}

void refuse_other_steps(const Json& settings, const std::string& place) {
  for (const char* key : {"do_resize", "do_rescale", "do_normalize", "do_convert_rgb"}) {
    if (!find<bool>(settings, key, place).value_or(true)) fail(place, ": key '", key, "' is false, expected true");
  }
  const double factor = find<double>(settings, "rescale_factor", place).value_or(kByteScale);
  if (!(std::abs(factor - kByteScale) < 1e-9)) {
    fail(place, ": key 'rescale_factor' is ", factor, ", expected 1/255 (", kByteScale, ")");
  }
  const int64_t resample = find<int64_t>(settings, "resample", place).value_or(kBicubic);
  if (resample != kBicubic) fail(place, ": key 'resample' is ", resample, ", expected ", kBicubic, " (bicubic)");
}

void Normalisation::read(const Json& settings, const std::string& place) {
  read_channels(settings, "image_mean", mean, place);
  read_channels(settings, "image_std", std, place);
  for (double value : std) {
    if (!(static_cast<float>(value) > 0)) fail(place, ": key 'image_std' holds ", value, ", expected positive numbers");
  }
}

std::array<std::array<float, 256>, 3> Normalisation::byte_values() const {
  std::array<std::array<float, 256>, 3> values;
  for (size_t channel = 0; channel < 3; ++channel) {
    const auto own_mean = static_cast<float>(mean[channel]), own_std = static_cast<float>(std[channel]);
    for (size_t byte = 0; byte < 256; ++byte) {
      const auto scaled = static_cast<float>(static_cast<double>(byte) * kByteScale);
      values[channel][byte] = (scaled - own_mean) / own_std;
    }
  }
  return values;
}

std::string Normalisation::text() const {
  return concat("mean ", mean[0], ' ', mean[1], ' ', mean[2], ", std ", std[0], ' ', std[1], ' ', std[2]);
}

}  // namespace vlsi
