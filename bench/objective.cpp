#include "bench/objective.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "objective/layer_matching.h"
#include "objective/verbal_kl.h"

namespace vlsi {
namespace {

constexpr uint64_t kSeed = 1;
constexpr float kHeadScale = 0.02F;  // standard deviation of a head's entries

/// A number that depends on `index` alone and looks random (SplitMix64's output function).
uint64_t scramble(uint64_t index) {
  index = (index + kSeed) * 0x9e3779b97f4a7c15;
  index = (index ^ (index >> 30)) * 0xbf58476d1ce4e5b9;
  index = (index ^ (index >> 27)) * 0x94d049bb133111eb;
  return index ^ (index >> 31);
}

/// Fills x [rows, width] in bfloat16 with bell-shaped numbers, each the sum of four uniform ones: a billion of them in
/// seconds. Row v, column d has the same number for every width.
void fill_bell_shaped(const at::Tensor& x) {
  const int64_t width = x.size(1);
  auto* data = x.mutable_data_ptr<at::BFloat16>();
  const float scale = kHeadScale * std::sqrt(3.0F) / 65536;
  parallel_for(0, x.size(0), 64, [&](int64_t first, int64_t last) {
    for (int64_t v = first; v < last; ++v) {
      for (int64_t d = 0; d < width; ++d) {
        const uint64_t bits = scramble(static_cast<uint64_t>(v) << 16 | static_cast<uint64_t>(d));
        const auto sum =
            static_cast<int64_t>((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
        data[v * width + d] = at::BFloat16(static_cast<float>(sum - 2 * 65535) * scale);
      }
    }
  });
}

at::Tensor normal(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::TensorOptions(at::kFloat));
}

/// Rows [layers, N, width] that turn from `begin` to `end` [N, kStudentWidth] with depth.
at::Tensor hidden_rows(const at::Tensor& begin, const at::Tensor& end, const at::Tensor& position_scale,
                       int64_t num_layers, int64_t width, uint64_t seed) {
  std::vector<at::Tensor> rows;
  for (int64_t layer = 0; layer < num_layers; ++layer) {
    const double depth = static_cast<double>(layer + 1) / static_cast<double>(num_layers);
    const double angle = depth * std::numbers::pi / 6;
    const auto shared = begin * std::cos(angle) + end * std::sin(angle);
    const auto own =
        normal({begin.size(0), width}, seed + layer) * (0.12 * std::sqrt(kStudentWidth / static_cast<double>(width)));
    auto row = at::constant_pad_nd(shared, {0, width - kStudentWidth}) + own;
    row = row * position_scale * ((2.8 + 1.6 * depth) / (kHeadScale * std::sqrt(static_cast<double>(kStudentWidth))));
    rows.push_back(row.to(at::kBFloat16).to(at::kFloat));
  }
  return at::stack(rows);
}

std::span<const double> numbers(const at::Tensor& x) {
  return {x.const_data_ptr<double>(), static_cast<size_t>(x.numel())};
}

}  // namespace

Heads make_heads(int64_t teacher_width, int64_t vocab_size) {
  Heads heads{at::empty({vocab_size, kStudentWidth}, at::kBFloat16),
              at::empty({vocab_size + kTeacherVocabSize - kVocabSize, teacher_width}, at::kBFloat16)};
  fill_bell_shaped(heads.student);
  fill_bell_shaped(heads.teacher);
  return heads;
}

Hidden make_hidden(const Heads& heads, int64_t num_student, int64_t num_teacher, int64_t num_positions) {
  const auto begin = normal({num_positions, kStudentWidth}, 11), end = normal({num_positions, kStudentWidth}, 12);
  const auto position_scale = normal({num_positions, 1}, 13).mul_(0.05).add_(1).clamp_(0.85, 1.15);
  return {hidden_rows(begin, end, position_scale, num_student, kStudentWidth, 100),
          hidden_rows(begin, end, position_scale, num_teacher, heads.teacher.size(1), 200)};
}

StepResult step_ours(const Heads& heads, const Hidden& hidden) {
  const auto u = hidden.student.detach().requires_grad_(true);
  const auto kl = all_pairs_kl(u, heads.student, summarize_teacher(hidden.teacher, heads.teacher, heads.student));
  const int64_t last_student = kl.size(0) - 1, last_teacher = kl.size(1) - 1;
  const auto candidates =
      kl.detach().narrow(0, 0, last_student).narrow(1, 0, last_teacher).to(at::kDouble).contiguous();
  Random random(kSeed);
  auto loss = kl[last_student][last_teacher];
  const auto matches = match_layers(numbers(candidates), last_student, last_teacher, {}, random);
  for (const auto& match : matches) loss = loss + match.weight * kl[match.student][match.teacher];
  loss.backward();
  return {loss.item<double>(), u.grad()};
}

StepResult step_materialised(const Heads& heads, const Hidden& hidden, at::ScalarType dtype, Reading reading) {
  const bool shared = reading == Reading::kShared;
  const auto log_probabilities = [](const at::Tensor& logits) { return at::log_softmax(logits, -1, at::kFloat); };
  // [N, V] a layer: logits, or what is shared of them, their log-probabilities.
  const auto distribution = [&](const at::Tensor& row, const at::Tensor& head) {
    const auto logits = at::mm(row.to(dtype), head.t());
    return shared ? log_probabilities(logits) : logits;
  };
  const auto u = hidden.student.detach().requires_grad_(true);
  const auto head = heads.student.to(dtype);
  std::vector<at::Tensor> teacher, student;
  {
    at::NoGradGuard no_grad;
    const auto teacher_head = heads.teacher.narrow(0, 0, head.size(0)).to(dtype);
    for (const auto& row : hidden.teacher.unbind()) teacher.push_back(distribution(row, teacher_head));
  }
  for (const auto& row : u.unbind()) student.push_back(distribution(row, head));
  const auto kl = [&](size_t s, size_t j) {
    const auto log_q = shared ? student[s] : log_probabilities(student[s]);
    const auto log_p = shared ? teacher[j] : log_probabilities(teacher[j]);
    return at::kl_div(log_q, log_p, at::Reduction::Sum, /*log_target=*/true) / static_cast<double>(u.size(1));
  };

  const size_t num_student = student.size() - 1, num_teacher = teacher.size() - 1;
  Random random(kSeed);
  auto loss = kl(num_student, num_teacher);
  size_t start = 0;
  for (size_t s = 0; s < num_student; ++s) {
    const size_t num_candidates = num_teacher - num_student + s + 1 - start;
    std::vector<at::Tensor> candidates(num_candidates);
    std::vector<double> values(num_candidates);
    if (!shared || num_candidates > 1) {
      const at::AutoGradMode gradient_is_wanted(!shared);
      for (size_t j = 0; j < num_candidates; ++j) {
        candidates[j] = kl(s, start + j);
        values[j] = candidates[j].item<double>();
      }
    }
    const auto match = match_layers(values, 1, static_cast<int64_t>(num_candidates), {}, random).front();
    const auto drawn = static_cast<size_t>(match.teacher);
    loss = loss + (shared ? kl(s, start + drawn) : candidates[drawn]);
    start += drawn + 1;
  }
  loss.backward();
  return {loss.item<double>(), u.grad()};
}

}  // namespace vlsi
