// XXH3 checksums of bytes: to find damage, and to tell whether two things are the same. Not against forgery.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace vlsi {

/// A checksum over bytes that come in pieces.
class Checksum {
 public:
  explicit Checksum(uint64_t seed = 0);
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  ~Checksum();

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  /// Of everything so far.
  uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// 16 hexadecimal digits.
std::string hexadecimal(uint64_t value);

/// The checksum of a file's bytes, in hexadecimal. Error when it cannot be opened.
std::string checksum_of_file(const std::filesystem::path& path);

}  // namespace vlsi
