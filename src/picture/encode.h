// Pictures for the page: small enough to travel inside it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "picture/picture.h"

namespace vlsi {

/// The picture as models see it, as a data URI: the file itself where it is small and a browser shows the same, else a
/// JPEG of at most 448 pixels a side. Error when the file is missing or no picture.
std::string picture_uri(const std::filesystem::path& path);

/// The same of a file's bytes; messages call it `place`.
std::string picture_uri(std::string_view file, const std::string& place);

/// The picture as a JPEG in a data URI.
std::string jpeg_uri(const Image& image);

}  // namespace vlsi
