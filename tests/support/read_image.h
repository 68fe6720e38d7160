// Pictures of files.
#pragma once

#include <filesystem>

#include "base/mapped_file.h"
#include "picture/picture.h"

namespace vlsi {

/// decode_image of a file.
inline Image read_image(const std::filesystem::path& path) {
  return decode_image(MappedFile::open(path)->bytes(), path.string());
}

}  // namespace vlsi
