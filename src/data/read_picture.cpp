#include "data/read_picture.h"

#include <span>

#include "base/mapped_file.h"
#include "base/quoted.h"

namespace vlsi {

std::string name_of_picture(const Content& content) { return printable(content.image.string()); }

namespace {

/// What `read` makes of the picture's bytes and its name.
template <class Read>
auto with_bytes(const Content& content, const std::filesystem::path& images, const Read& read) {
  const auto name = name_of_picture(content);
  if (!content.picture_file.empty()) return read(std::as_bytes(std::span(content.picture_file)), name);
  std::error_code unknown;
  // A picture of a data file that is not there is most often looked for in another folder than the user thinks.
  if (!images.empty() && !std::filesystem::exists(content.image, unknown) && !unknown) {
    fail("there is no picture ", name, "; relative paths start in ", printable(images.string()),
         ": `images` beside the `path` of a run's data, or --images, names another folder");
  }
  return read(MappedFile::open(content.image)->bytes(), name);
}

}  // namespace

Image read_picture(const Content& content, const std::filesystem::path& images) {
  return with_bytes(content, images, [](auto bytes, const auto& name) { return decode_image(bytes, name); });
}

ImageSize measure_picture(const Content& content, const std::filesystem::path& images) {
  return with_bytes(content, images, [](auto bytes, const auto& name) { return measure_image(bytes, name); });
}

}  // namespace vlsi
