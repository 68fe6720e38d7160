// A cached teacher at real sizes: what a step with it costs, and what its rounding changes. Prints one JSON object.
//   cached_teacher_bench [SCRATCH_DIR]      2 to 10 minutes of two cores, 2 GB of memory, 10 MB of disk
//
// cached_step_to_ce_step   the objective of a step, forward and backward, of 8 + 1 student heads at N = 256: KL to a
// teacher that is
//                          read from a cache, divided by cross entropy. Medians of interleaved repetitions.
// cached_loss_difference   largest difference of a matched pair's KL, cached against live, in nats.
// equal_matches            share of seeded draws of Algorithm 1 (4 student, 8 teacher layers) that are the same from
// both. float16_*, bfloat16_*    the same differences when the rows are stored in these types; float16 is what a cache
// has.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <vector>

#include "base/json.h"
#include "objective/cross_entropy.h"
#include "objective/layer_matching.h"
#include "objective/verbal_kl.h"
#include "teacher/cache_writer.h"
#include "teacher/teacher_cache.h"

namespace vlsi {
namespace {

constexpr int64_t kVocabulary = 151'936, kWidth = 1536, kLayers = 8, kPositions = 256, kSamples = 16;
constexpr int kRepetitions = 7, kDraws = 2000;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ssize(values) / 2, values.end());
  return values[values.size() / 2];
}

template <class Work>
double seconds_of(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// kSamples samples with kPositions answer positions in all; what they hold plays no part.
Batch make_batch() {
  std::vector<Sample> samples(kSamples);
  for (int32_t s = 0; s < kSamples; ++s) {
    auto& sample = samples[s];
    sample.id = std::to_string(s);
    for (int32_t i = 0; i <= kPositions / kSamples; ++i) {
      sample.tokens.push_back(1000 * s + i);
      for (auto& axis : sample.positions) axis.push_back(i);
      if (i < kPositions / kSamples) sample.answer_positions.push_back(i);
    }
    sample.labels.assign(sample.answer_positions.size(), 7 * s);
  }
  return pack(samples);
}

/// The last layers' KL and the sum over pairs of equally deep layers, as a step takes them.
at::Tensor step_loss(const at::Tensor& u, const at::Tensor& head, const TeacherSummary& teacher) {
  return all_pairs_kl(u, head, teacher).diagonal().sum();
}

/// Both models' rows at unlike depths: every layer is near the other model's layer of its depth. [L + 1, N, D] bf16
struct Rows {
  at::Tensor student, teacher;
};

Rows make_rows(int64_t num_positions) {
  Rows rows;
  // Logits of standard deviation 1 to 5 from shallow to deep: entropies from 11 nats to 2.
  const auto scale = at::linspace(1, 5, kLayers + 1).view({-1, 1, 1});
  const auto common = at::randn({kLayers + 1, num_positions, kWidth});
  rows.student = ((common + at::randn_like(common) * 0.2) * scale).to(at::kBFloat16);
  rows.teacher = (common * scale).to(at::kBFloat16);
  return rows;
}

std::vector<double> values_of(const at::Tensor& matrix) {
  const auto values = matrix.to(at::kDouble).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

/// What storing the expected rows in `dtype` changes.
void compare_stored(const char* name, at::ScalarType dtype, const Rows& rows, const at::Tensor& head,
                    const TeacherSummary& live, OrderedJson& results) {
  at::NoGradGuard no_grad;
  const TeacherSummary stored{live.expected_row.to(dtype).to(at::kFloat), live.entropy};
  const auto exact = all_pairs_kl(rows.student, head, live), rounded = all_pairs_kl(rows.student, head, stored);
  const double difference = (exact - rounded).abs().max().item<double>();
  // Every other student layer against all teacher layers, so that there is something to choose.
  const auto matrix = [](const at::Tensor& kl) { return values_of(kl.slice(0, 0, kLayers, 2).narrow(1, 0, kLayers)); };
  const auto of_live = matrix(exact), of_stored = matrix(rounded);
  Random random_live(1), random_stored(1);
  int num_equal = 0;
  for (int i = 0; i < kDraws; ++i) {
    const auto a = match_layers(of_live, kLayers / 2, kLayers, {}, random_live);
    const auto b = match_layers(of_stored, kLayers / 2, kLayers, {}, random_stored);
    num_equal += std::equal(a.begin(), a.end(), b.begin(),
                            [](const Match& x, const Match& y) { return x.teacher == y.teacher; });
  }
  // A position's own KL: the mean over positions hides its error.
  const auto per_position = (live.expected_row - stored.expected_row).mul(rows.student.to(at::kFloat)).sum(-1).abs();
  results[std::string(name) + "_loss_difference"] = difference;
  results[std::string(name) + "_position_difference"] = per_position.max().item<double>();
  results[std::string(name) + "_equal_matches"] = static_cast<double>(num_equal) / kDraws;
}

/// The batch's summaries, read back from a cache in `scratch`.
std::shared_ptr<TeacherCache> make_cache(const std::filesystem::path& scratch, const Batch& batch,
                                         const TeacherSummary& summary, const std::vector<int64_t>& layers) {
  const CacheOrigin origin{"t", "c", "p", "t", "c", "p", "l", "v", "h", "bfloat16", layers, kWidth, kVocabulary};
  CacheWriter writer(scratch, origin, int64_t{1} << 30);
  writer.add(batch, summary);
  writer.finish();
  return std::make_shared<TeacherCache>(scratch, origin);
}

OrderedJson measure(const std::filesystem::path& scratch) {
  at::manual_seed(0);
  const auto head = (at::randn({kVocabulary, kWidth}) / std::sqrt(static_cast<double>(kWidth))).to(at::kBFloat16);
  const auto rows = make_rows(kPositions);
  const auto batch = make_batch();
  const auto live = summarize_teacher(rows.teacher, head, head);

  OrderedJson results;
  const std::vector<int64_t> layers{1, 2, 3, 4, 5, 6, 7, 8};
  const auto cache = make_cache(scratch, batch, live, layers);
  const auto labels = at::randint(0, kVocabulary, {kPositions}, at::kLong);
  const auto u = rows.student.clone().requires_grad_(true);
  std::vector<double> cached, cross_entropies;
  for (int i = 0; i < kRepetitions; ++i) {
    cached.push_back(seconds_of([&] { step_loss(u, head, cache->load(batch, layers)).backward(); }));
    cross_entropies.push_back(seconds_of([&] { cross_entropy(u, head, labels).sum().backward(); }));
  }
  results["cached_step_seconds"] = median(cached);
  results["ce_step_seconds"] = median(cross_entropies);
  results["cached_step_to_ce_step"] = median(cached) / median(cross_entropies);
  compare_stored("float16", at::kHalf, rows, head, live, results);
  compare_stored("bfloat16", at::kBFloat16, rows, head, live, results);
  results["cached_loss_difference"] = results["float16_loss_difference"];
  results["equal_matches"] = results["float16_equal_matches"];
  std::filesystem::remove_all(scratch);
  return results;
}

}  // namespace
}  // namespace vlsi

int main(int argc, char** argv) {
  if (argc > 2) {
    std::fprintf(stderr, "usage: cached_teacher_bench [SCRATCH_DIR]\n");
    return 2;
  }
  try {
    const auto scratch = argc == 2 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path();
    const auto folder = scratch / vlsi::concat("vlsi-cached-teacher-", ::getpid());
    std::printf("%s\n", vlsi::measure(folder).dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
