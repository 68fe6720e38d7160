// Tars for tests, byte by byte.
#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace vlsi {

/// The end of a tar.
inline const std::string kTarEnd(1024, '\0');

/// A member with its header (ustar), padded. `type`: 0 a file, 1 a hard link, 2 a symbolic one, 5 a folder, …
inline std::string tar_member(const std::string& name, const std::string& bytes, char type = '0',
                              const std::string& link = "") {
  std::string header(512, '\0');
  const auto put = [&](size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  char size[16];
  std::snprintf(size, sizeof size, "%011zo", bytes.size());
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size);
  put(136, "00000000001");
  put(148, "        ");
  header[156] = type;
  put(157, link);
  put(257, std::string("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (const unsigned char byte : header) sum += byte;
  char checksum[8];
  std::snprintf(checksum, sizeof checksum, "%06o", sum);
  put(148, std::string(checksum, 7) + ' ');
  return header + bytes + std::string((512 - bytes.size() % 512) % 512, '\0');
}

/// A whole tar of files: names and contents.
inline std::string tar_of(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string tar;
  for (const auto& [name, bytes] : files) tar += tar_member(name, bytes);
  return tar + kTarEnd;
}

}  // namespace vlsi
