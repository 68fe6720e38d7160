#include "train/adamw_update.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace vlsi {
namespace {

constexpr int64_t kChunk = int64_t{1} << 16;

/// What one thread works on of one parameter.
struct Chunk {
  size_t tensor;
  int64_t begin, end;
};

std::vector<Chunk> cut(const std::vector<AdamwTensors>& all) {
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < all.size(); ++i) {
    const int64_t size = all[i].gradient.numel();
    for (int64_t begin = 0; begin < size; begin += kChunk) chunks.push_back({i, begin, std::min(size, begin + kChunk)});
  }
  return chunks;
}

/// Calls body(chunk, its index) for every chunk, in parallel.
template <class Body>
void for_chunks(const std::vector<Chunk>& chunks, const Body& body) {
  parallel_for(0, static_cast<int64_t>(chunks.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) body(chunks[i], i);
  });
}

double sum_of_squares(const float* values, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

/// The update's constants, rounded to the type that it is computed in.
struct Constants {
  float keep, beta1, beta2, rest1, rest2, step_size, root_scale, eps, gradient_scale;
};

Constants constants_of(const AdamwRates& rates, double step, double gradient_scale) {
  const double correction1 = 1 - std::pow(rates.beta1, step), correction2 = 1 - std::pow(rates.beta2, step);
  const auto narrow = [](double value) { return static_cast<float>(value); };
  return {narrow(1 - rates.learning_rate * rates.weight_decay),
          narrow(rates.beta1),
          narrow(rates.beta2),
          narrow(1 - rates.beta1),
          narrow(1 - rates.beta2),
          narrow(rates.learning_rate / correction1),
          narrow(1 / std::sqrt(correction2)),
          narrow(rates.eps),
          narrow(gradient_scale)};
}

void update(float* __restrict parameter, const float* __restrict gradient, float* __restrict exp_avg,
            float* __restrict exp_avg_sq, int64_t count, const Constants& c) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * c.gradient_scale;
    const float m = c.beta1 * exp_avg[i] + c.rest1 * g;
    const float v = c.beta2 * exp_avg_sq[i] + c.rest2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    parameter[i] = parameter[i] * c.keep - c.step_size * m / (std::sqrt(v) * c.root_scale + c.eps);
  }
}

}  // namespace

bool is_plain(const AdamwTensors& tensors) {
  const auto is_plain_one = [](const at::Tensor& x) {
    return x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
  };
  return is_plain_one(tensors.parameter) && is_plain_one(tensors.gradient) && is_plain_one(tensors.exp_avg) &&
         is_plain_one(tensors.exp_avg_sq);
}

double gradient_norm(const std::vector<AdamwTensors>& all) {
  const auto chunks = cut(all);
  std::vector<double> sums(chunks.size());
  for_chunks(chunks, [&](const Chunk& chunk, int64_t index) {
    sums[index] =
        sum_of_squares(all[chunk.tensor].gradient.const_data_ptr<float>() + chunk.begin, chunk.end - chunk.begin);
  });
  double sum = 0;
  for (const double chunk_sum : sums) sum += chunk_sum;
  return std::sqrt(sum);
}

void adamw_update(const std::vector<AdamwTensors>& all, const AdamwRates& rates, double gradient_scale) {
  std::vector<Constants> constants;
  for (const auto& tensors : all) constants.push_back(constants_of(rates, tensors.step, gradient_scale));
  for_chunks(cut(all), [&](const Chunk& chunk, int64_t) {
    const auto& tensors = all[chunk.tensor];
    update(
        tensors.parameter.mutable_data_ptr<float>() + chunk.begin,
        tensors.gradient.const_data_ptr<float>() + chunk.begin, tensors.exp_avg.mutable_data_ptr<float>() + chunk.begin,
        tensors.exp_avg_sq.mutable_data_ptr<float>() + chunk.begin, chunk.end - chunk.begin, constants[chunk.tensor]);
  });
}

}  // namespace vlsi
