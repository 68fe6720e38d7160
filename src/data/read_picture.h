// The picture that a conversation names or holds.
#pragma once

#include <filesystem>
#include <string>

#include "data/conversation.h"
#include "picture/picture.h"

namespace vlsi {

/// Decodes the picture of `content` (kImage): its file, or the bytes that the record holds. `images` is where relative
/// paths of the data file start, for the message about a file that is not there; empty outside of data files. Error
/// naming the picture, on one line.
Image read_picture(const Content& content, const std::filesystem::path& images);

/// The size of what read_picture gives, from the picture's headers.
ImageSize measure_picture(const Content& content, const std::filesystem::path& images);

/// What messages call the picture of `content`, on one line.
std::string name_of_picture(const Content& content);

}  // namespace vlsi
