// What the tests of pictures share with the scripts under tests/oracle: the same noise and the same hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "picture/picture.h"

namespace vlsi {

inline std::filesystem::path picture_folder() { return std::filesystem::path(VLSI_TEST_DATA) / "images"; }

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

/// The picture of a binary PPM file.
inline Image read_ppm(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  std::istringstream header(text);
  std::string magic;
  int highest = 0;
  Image image;
  header >> magic >> image.width >> image.height >> highest;
  const size_t begin = static_cast<size_t>(header.tellg()) + 1;
  image.rgb.assign(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end());
  return image;
}

/// Bytes of a linear congruential generator.
inline std::vector<uint8_t> noise(size_t count, uint32_t seed) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) {
    seed = seed * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(seed >> 24);
  }
  return bytes;
}

/// The picture that the scripts call by its size.
inline Image noise_image(int64_t height, int64_t width) {
  return {height, width, noise(static_cast<size_t>(height * width * 3), static_cast<uint32_t>(height * 1000 + width))};
}

/// 64-bit FNV-1a, in hexadecimal.
inline std::string fnv(std::span<const std::byte> bytes) {
  uint64_t value = 0xcbf29ce484222325;
  for (std::byte byte : bytes) value = (value ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
  return text;
}

}  // namespace vlsi
