// The orientation of a picture from its metadata, and turning the picture upright.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "picture/picture.h"

namespace vlsi {

/// Tag 0x0112 of the first directory of an EXIF block, with or without the leading "Exif\0\0". Nothing when the tag is
/// absent or the block is broken: damaged metadata does not make a picture unreadable.
std::optional<int> exif_orientation(std::span<const uint8_t> exif);

/// The bytes of a PNG text that is a profile by ImageMagick's convention: a line break, a name and a length on lines of
/// their own, then hexadecimal digits. Empty when it is something else.
std::vector<uint8_t> raw_profile(std::string_view text);

/// The `tiff:Orientation` attribute or element of an XMP packet; PIL's fallback when EXIF has none.
std::optional<int> xmp_orientation(std::string_view xmp);

/// Whether a picture of this orientation lies on its side: height and width change places.
bool is_transposed(int orientation);

/// The picture as its orientation (EXIF's 1..8) means it to be seen; other values change nothing.
Image apply_orientation(Image image, int orientation);

}  // namespace vlsi
