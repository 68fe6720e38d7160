#include "base/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdio>

#include "base/mapped_file.h"

namespace vlsi {

struct Checksum::State {
  XXH3_state_t value;
};

Checksum::Checksum(uint64_t seed) : state_(std::make_unique<State>()) {
  XXH3_INITSTATE(&state_->value);
  XXH3_64bits_reset_withSeed(&state_->value, seed);
}

Checksum::~Checksum() = default;

void Checksum::update(std::span<const std::byte> bytes) {
  XXH3_64bits_update(&state_->value, bytes.data(), bytes.size());
}

uint64_t Checksum::value() const { return XXH3_64bits_digest(&state_->value); }

std::string hexadecimal(uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string checksum_of_file(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  Checksum checksum;
  checksum.update(file->bytes());
  return hexadecimal(checksum.value());
}

}  // namespace vlsi
