// What a record says of a picture: a text that stands for it (a path, a URI of a file, a data URL, or the picture's
// bytes in base64), and the size that it is asked to have.
#pragma once

#include <filesystem>
#include <string>

#include "data/conversation.h"

namespace vlsi {

/// The picture that `text` names or is. A path is relative to `images`. Of a file:// URI, whose host is none or
/// localhost, and of a data URL percent escapes are decoded. A data URL is base64, as is a text that begins as a known
/// picture format does in it; these become `picture_file`, known by a checksum. Error, on one line that begins with
/// `place` and quotes at most 60 bytes of `text`, for other URLs (pictures are not fetched), for what is no base64, and
/// for what can be no path.
Content picture_content(const std::string& text, const std::filesystem::path& images, const std::string& place);

/// picture_content of a text; the picture of bytes, and of an object {"bytes", "path"}, as Hugging Face's sets have it:
/// the bytes (binary, or base64), else the file that `path` names. Error naming `place` for what is no picture.
Content picture_of_value(const Json& value, const std::filesystem::path& images, const std::string& place);

/// Null, or an object whose `bytes` and `path` are null: how Hugging Face's sets write that there is no picture.
bool is_no_picture(const Json& value);

/// Of a picture's part: `min_pixels`, `max_pixels`, `resized_height` and `resized_width`. Error naming `place` for a
/// value that cannot be, and for one size without the other.
PictureLimits read_limits(const Json& part, const std::string& place);

/// Text from a record inside a message: one line, at most 60 bytes, whole code points, in quotes.
std::string excerpt(std::string_view text);

}  // namespace vlsi
