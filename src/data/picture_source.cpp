#include "data/picture_source.h"

#include <algorithm>
#include <cctype>
#include <climits>
#include <optional>
#include <string_view>

#include "base/base64.h"
#include "base/checksum.h"
#include "base/quoted.h"
#include "picture/codecs.h"

namespace vlsi {
namespace {

constexpr size_t kExcerptBytes = 60;
constexpr int64_t kLargestLimit = int64_t{1} << 28;  // pixels, in all or on a side
constexpr size_t kHeadDigits = 44;                   // of base64: 33 bytes, more than any format is known by

/// Whether `text` begins with `start`, which is in small letters, in letters of either kind.
bool begins_with(std::string_view text, std::string_view start) {
  const auto is_equal = [](unsigned char a, char b) { return std::tolower(a) == b; };
  return text.size() >= start.size() &&
         std::equal(start.begin(), start.end(), text.begin(), [&](char b, char a) { return is_equal(a, b); });
}

Content content_of_file(std::string file, const std::string& place) {
  if (file.empty()) fail(place, ": holds no bytes, expected those of a picture");
  Checksum checksum;
  checksum.update(file);
  return {Content::Kind::kImage, {}, "embedded picture " + hexadecimal(checksum.value()), std::move(file)};
}

std::optional<int> hexadecimal_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int letter = std::tolower(static_cast<unsigned char>(c));
  return letter >= 'a' && letter <= 'f' ? std::optional(letter - 'a' + 10) : std::nullopt;
}

/// `part` of a URI without its percent escapes.
std::string without_escapes(std::string_view part, std::string_view uri, const std::string& place) {
  std::string text;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      text += part[i];
      continue;
    }
    const auto high = i + 2 < part.size() ? hexadecimal_digit(part[i + 1]) : std::nullopt;
    const auto low = high ? hexadecimal_digit(part[i + 2]) : std::nullopt;
    if (!low) fail(place, ": in the URI ", excerpt(uri), " a % stands before no two hexadecimal digits");
    text += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return text;
}

Content read_data_url(std::string_view url, const std::string& place) {
  constexpr std::string_view kBase64 = ";base64";
  const size_t comma = url.find(','), mark = comma - kBase64.size();
  if (comma == url.npos || comma < kBase64.size() || !begins_with(url.substr(mark), kBase64))
    fail(place, ": is the URL ", excerpt(url), ", expected data:image/...;base64, and the picture's bytes in base64");
  auto data = url.substr(comma + 1);
  std::string unescaped;
  if (data.find('%') != data.npos) data = unescaped = without_escapes(data, url, place);
  auto file = from_base64(data);
  if (!file) fail(place, ": what follows the comma in ", excerpt(url), " is no base64");
  return content_of_file(*std::move(file), place);
}

/// The bytes of a picture whose first ones are those of a known format; nothing for any other text.
std::optional<std::string> read_bare_base64(std::string_view text) {
  const auto head = from_base64(text.substr(0, kHeadDigits));
  return head && begins_as_picture(*head) ? from_base64(text) : std::nullopt;
}

/// The path that a URI file:///path, file://localhost/path or file:/path names.
std::string path_of_uri(std::string_view uri, const std::string& place) {
  auto rest = uri.substr(std::string_view("file:").size());
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const auto host = rest.substr(0, rest.find('/'));
    if (!host.empty() && !(begins_with(host, "localhost") && host.size() == 9))
      fail(place, ": the URI ", excerpt(uri), " names the host ", excerpt(host), ", expected file:/// and a path");
    rest.remove_prefix(host.size());
  }
  if (!rest.starts_with('/')) fail(place, ": the URI ", excerpt(uri), " has no path, expected file:/// and a path");
  return without_escapes(rest, uri, place);
}

/// Whether the system could have a file of this name.
bool can_be_path(std::string_view text) {
  if (text.size() >= PATH_MAX) return false;
  while (text.size() > NAME_MAX) {
    const size_t slash = text.find('/');
    if (slash == text.npos || slash > NAME_MAX) return false;
    text.remove_prefix(slash + 1);
  }
  return true;
}

}  // namespace

std::string excerpt(std::string_view text) {
  size_t length = std::min(text.size(), kExcerptBytes);
  while (length > 0 && length < text.size() && (text[length] & 0xC0) == 0x80) --length;
  return concat('\'', printable(text.substr(0, length)), length < text.size() ? "...'" : "'");
}

Content picture_content(const std::string& text, const std::filesystem::path& images, const std::string& place) {
  if (text.empty()) fail(place, ": is empty, expected the path of a picture");
  if (begins_with(text, "data:")) return read_data_url(text, place);
  const bool is_uri = begins_with(text, "file:/");
  if (!is_uri && text.find("://") != std::string::npos) {
    fail(place, ": is the URL ", excerpt(text),
         ", expected the path of a picture file, file://, or the picture itself: pictures are not fetched");
  }
  if (auto file = read_bare_base64(text)) return content_of_file(*std::move(file), place);
  const auto path = is_uri ? path_of_uri(text, place) : text;
  // The system would read the name up to the NUL only: another file.
  if (path.find('\0') != std::string::npos) fail(place, ": path ", excerpt(path), " holds a NUL character");
  if (!can_be_path(path)) {
    fail(place, ": ", excerpt(text), ", ", text.size(),
         " bytes long, is neither the path of a picture nor the base64 of one");
  }
  return {Content::Kind::kImage, {}, images / path};
}

Content picture_of_value(const Json& value, const std::filesystem::path& images, const std::string& place) {
  if (value.is_string()) return picture_content(value.get_ref<const std::string&>(), images, place);
  if (value.is_binary()) return content_of_file({value.get_binary().begin(), value.get_binary().end()}, place);
  if (!value.is_object()) fail(place, ": is ", describe(value), ", expected a path, bytes, or an object of these");
  const auto bytes = value.find("bytes");
  if (bytes != value.end() && bytes->is_binary()) return picture_of_value(*bytes, images, place + ".bytes");
  if (const auto base64 = find<std::string>(value, "bytes", place)) {
    return picture_content("data:image;base64," + *base64, images, place + ".bytes");
  }
  const auto path = find<std::string>(value, "path", place);
  if (!path) fail(place, ": has neither 'bytes' nor 'path', expected a picture");
  return picture_content(*path, images, place + ".path");
}

bool is_no_picture(const Json& value) {
  if (!value.is_object()) return value.is_null();
  const auto is_null = [&](const char* key) { return !value.contains(key) || value[key].is_null(); };
  return (value.contains("bytes") || value.contains("path")) && is_null("bytes") && is_null("path");
}

PictureLimits read_limits(const Json& part, const std::string& place) {
  PictureLimits limits;
  const auto read = [&](const char* key, std::optional<int64_t>& value) {
    value = find<int64_t>(part, key, place);
    if (value && (*value < 1 || *value > kLargestLimit))
      fail(place, ".", key, ": is ", *value, ", expected 1 to ", kLargestLimit);
  };
  read("min_pixels", limits.min_pixels);
  read("max_pixels", limits.max_pixels);
  read("resized_height", limits.resized_height);
  read("resized_width", limits.resized_width);
  if (limits.resized_height.has_value() != limits.resized_width.has_value())
    fail(place, ": has one of 'resized_height' and 'resized_width', expected both or neither");
  if (limits.min_pixels.value_or(1) > limits.max_pixels.value_or(kLargestLimit)) {
    fail(place, ".min_pixels: is ", *limits.min_pixels, ", expected at most max_pixels, which is ", *limits.max_pixels);
  }
  return limits;
}

}  // namespace vlsi
