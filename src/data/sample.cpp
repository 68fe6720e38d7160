#include "data/sample.h"

#include <ATen/ATen.h>

#include <span>

#include "base/checksum.h"
#include "base/error.h"

namespace vlsi {
namespace {

/// `values` and how many they are, so that lists that follow one another keep their borders.
template <class T>
void update(Checksum& checksum, const std::vector<T>& values) {
  const uint64_t count = values.size();
  checksum.update(std::as_bytes(std::span(&count, 1)));
  checksum.update(std::as_bytes(std::span(values)));
}

}  // namespace

uint64_t fingerprint_of(const PicturePatches& picture) {
  const auto rows = picture.rows.contiguous();
  Checksum checksum;
  checksum.update(std::as_bytes(std::span(&picture.shape, 1)));
  checksum.update(std::span(static_cast<const std::byte*>(rows.const_data_ptr()), rows.nbytes()));
  return checksum.value();
}

uint64_t fingerprint_of(const Sample& sample, const std::vector<uint64_t>& pictures) {
  Checksum checksum;
  update(checksum, sample.tokens);
  update(checksum, sample.answer_positions);
  update(checksum, pictures);
  return checksum.value();
}

uint64_t fingerprint_of(const Sample& sample) {
  std::vector<uint64_t> pictures;
  for (const auto& image : sample.images) pictures.push_back(fingerprint_of(image));
  return fingerprint_of(sample, pictures);
}

void check_length(const Sample& sample, int64_t sample_tokens, int64_t batch_tokens) {
  const int64_t length = std::ssize(sample.tokens), num_of_pictures = std::ssize(sample.image_token_positions);
  if (length <= sample_tokens && length <= batch_tokens) return;
  const auto pictures =
      num_of_pictures > 0
          ? concat(" (", num_of_pictures, " for pictures: max_pixels in preprocessor_config.json bounds them)")
          : "";
  fail("sample has ", length, " tokens", pictures, ", more than ",
       length > sample_tokens ? concat("sample_tokens ", sample_tokens) : concat("batch_tokens ", batch_tokens),
       " allows");
}

}  // namespace vlsi
