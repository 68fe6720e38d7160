// What every family's picture settings have in common: where they are, what they may not ask for, and the value of a
// byte.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/json.h"

namespace vlsi {

/// A directory's settings of its image processor.
struct PictureSettings {
  Json json;
  std::string place;  // for errors
};

/// The image_processor part of a processor_config.json, as transformers from 5 on saves it, or else
/// preprocessor_config.json; nothing where there is neither. Error for a processor_config.json alone that has no such
/// part.
std::optional<PictureSettings> find_picture_settings(const std::filesystem::path& directory);

/// The integer at `key`, or `absent`; Error for one below 1 or above `highest`.
int64_t read_bounded(const Json& settings, const std::string& key, int64_t absent, int64_t highest,
                     const std::string& place);

/// Error for steps that a file switches off or changes, but that are fixed here: bicubic resizing, scaling by 1/255,
/// normalisation, and RGB.
void refuse_other_steps(const Json& settings, const std::string& place);

/// A mean and a deviation for each channel, by which values between 0 and 1 are normalised.
struct Normalisation {
  std::array<double, 3> mean, std;

  /// Takes image_mean and image_std where `settings` has them. Error for other than three finite numbers, and for
  /// deviations that are not positive.
  void read(const Json& settings, const std::string& place);

  /// The value of every byte in every channel, rounded to float32 after each operation as the reference does.
  std::array<std::array<float, 256>, 3> byte_values() const;

  /// "mean 0.5 0.5 0.5, std 0.5 0.5 0.5"
  std::string text() const;
};

}  // namespace vlsi
