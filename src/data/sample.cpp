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

/// "12 tokens", and how many of them are pictures.
std::string tokens_of(const Sample& sample) {
  const auto num_of_pictures = sample.image_token_positions.size();
  return concat(sample.tokens.size(), " tokens",
                num_of_pictures > 0 ? concat(" (", num_of_pictures,
                                             " for pictures: max_pixels in preprocessor_config.json bounds them)")
                                    : "");
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
  const int64_t length = std::ssize(sample.tokens);
  if (length > sample_tokens)
    fail("sample has ", tokens_of(sample), ", more than sample_tokens ", sample_tokens, " allows");
  if (length > batch_tokens)
    fail("sample has ", tokens_of(sample), ", more than batch_tokens ", batch_tokens, " allows");
}

void check_prompt_length(const Sample& prompt, int64_t most_tokens) {
  if (std::ssize(prompt.tokens) <= most_tokens) return;
  fail("prompt has ", tokens_of(prompt), ", more than the ", most_tokens,
       " that the model's context and the cache (--cache-memory) have for it");
}

}  // namespace vlsi
