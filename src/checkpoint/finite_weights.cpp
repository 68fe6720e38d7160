#include "checkpoint/finite_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/dtype.h"
#include "base/error.h"
#include "base/parallel.h"
#include "family/family.h"

namespace vlsi {
namespace {

constexpr int64_t kGrain = int64_t{1} << 18, kStop = int64_t{1} << 14;  // values

/// The largest of words[i] & mask. A function of its own: compilers make vectors of the loop only where `mask` cannot
/// be one of the words.
template <class Word>
Word highest_masked(const Word* words, int64_t count, Word mask) {
  Word highest = 0;
#pragma omp simd reduction(max : highest)
  for (int64_t i = 0; i < count; ++i) highest = std::max<Word>(highest, words[i] & mask);
  return highest;
}

/// Whether one of the values has an exponent, the bits of `mask`, of ones alone: NaN or infinity.
template <class Word>
bool has_full_exponent(const Word* words, int64_t count, Word mask) {
  std::atomic<bool> found = false;
  parallel_for(0, count, kGrain, [&](int64_t first, int64_t last) {
    for (int64_t begin = first; begin < last && !found; begin += kStop) {
      if (highest_masked(words + begin, std::min(kStop, last - begin), mask) == mask) found = true;
    }
  });
  return found;
}

bool is_finite(const at::Tensor& weight) {
  const auto type = weight.scalar_type();
  const bool has_words = weight.device().is_cpu() && weight.is_contiguous();
  const int64_t count = weight.numel();
  if (has_words && type == at::kFloat)
    return !has_full_exponent<uint32_t>(static_cast<const uint32_t*>(weight.const_data_ptr()), count, 0x7F800000);
  if (has_words && (type == at::kBFloat16 || type == at::kHalf)) {
    return !has_full_exponent<uint16_t>(static_cast<const uint16_t*>(weight.const_data_ptr()), count,
                                        type == at::kHalf ? 0x7C00 : 0x7F80);
  }
  return weight.isfinite().all().item<bool>();
}

}  // namespace

void check_finite_weight(const at::Tensor& weight, const std::string& name, const std::string& action) {
  const auto values = weight.detach();
  if (is_finite(values)) return;
  const auto place = values.isfinite().logical_not().nonzero()[0].to(at::kCPU);
  auto found = values;
  for (const auto& index : place.unbind()) found = found[index.item<int64_t>()];
  const double value = found.item<double>();
  std::string at;
  for (const auto& index : place.unbind()) at += concat(at.empty() ? "" : ", ", index.item<int64_t>());
  fail(action, ": ", name, " is ",
       std::isnan(value) ? "nan"
       : value > 0       ? "inf"
                         : "-inf",
       " at [", at, "] in ", dtype_name(values.scalar_type()), ", expected finite numbers");
}

void check_finite_weights(const Vlm& model, const std::string& action) {
  const auto& family = family_of(model.config());
  for (const auto& [name, parameter] : model.named_parameters())
    check_finite_weight(parameter, family.written_name(name), action);
}

}  // namespace vlsi
