// Accuracy and memory of the verbal objective, as JSON on standard output.
//   objective_accuracy kl [VOCAB_SIZE]         errors of KL and gradient against float64, for both teacher widths
//   objective_accuracy memory ours|materialised POSITIONS [VOCAB_SIZE]
//                                              peak of the memory that a step takes; a fresh process each
//   objective_accuracy growth                  slopes of the multiply-adds, where there is a bfloat16 pass
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/objective.h"
#include "objective/verbal_kl.h"
#include "tests/objective/counted_products.h"

namespace {

using namespace vlsi;
using Json = nlohmann::ordered_json;

constexpr int64_t kLayers = 8, kCheckedPositions = 16;

/// log softmax(u headᵀ) in float64, [layers, N, V]; the head is widened a tile at a time.
at::Tensor log_probabilities(const at::Tensor& u, const at::Tensor& head) {
  const auto wide = u.to(at::kDouble);
  std::vector<at::Tensor> logits;
  for (const auto& tile : head.split(8192)) logits.push_back(at::matmul(wide, tile.to(at::kDouble).t()));
  return at::log_softmax(at::cat(logits, -1), -1);
}

/// x [layers, N, V] times the head, in float64.
at::Tensor expected_rows(const at::Tensor& x, const at::Tensor& head) {
  auto sum = at::zeros({x.size(0), x.size(1), head.size(1)}, at::kDouble);
  for (int64_t first = 0; first < head.size(0); first += 8192) {
    const int64_t count = std::min<int64_t>(8192, head.size(0) - first);
    sum.add_(at::matmul(x.narrow(-1, first, count), head.narrow(0, first, count).to(at::kDouble)));
  }
  return sum;
}

double relative_error(const at::Tensor& found, const at::Tensor& exact) {
  return ((found.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

/// With as many layers on either side, layer i matches layer i: no way to compute the loss may choose otherwise.
Json accuracy(int64_t teacher_width, int64_t vocab_size) {
  const auto heads = make_heads(teacher_width, vocab_size);
  const auto hidden = make_hidden(heads, kLayers, kLayers, kCheckedPositions);
  const auto log_q = log_probabilities(hidden.student, heads.student);
  const auto log_p = log_probabilities(hidden.teacher, heads.teacher.narrow(0, 0, vocab_size));
  std::vector<at::Tensor> rows;
  for (const auto& q : log_q.unbind()) rows.push_back((log_p.exp() * (log_p - q)).sum(-1));
  const auto kl = at::stack(rows);  // [S, L, N]
  const auto entropy = -(log_p.exp() * log_p).sum(-1);
  const auto gradient =
      expected_rows(log_q.exp() - log_p.exp(), heads.student) / static_cast<double>(kCheckedPositions);

  const auto student = head_summary(hidden.student, heads.student, heads.student);
  const auto teacher = summarize_teacher(hidden.teacher, heads.teacher, heads.student);
  const auto found = student.logsumexp.unsqueeze(1) -
                     at::einsum("snd,lnd->sln", {hidden.student, teacher.expected_row}) - teacher.entropy.unsqueeze(0);
  const auto found_mean = all_pairs_kl(hidden.student, heads.student, teacher);
  // Peer: the rounded logits of the usual path.
  rows.clear();
  const auto peer_log_p = at::log_softmax(
      at::matmul(hidden.teacher.to(at::kBFloat16), heads.teacher.narrow(0, 0, vocab_size).t()), -1, at::kFloat);
  const auto peer_log_q =
      at::log_softmax(at::matmul(hidden.student.to(at::kBFloat16), heads.student.t()), -1, at::kFloat);
  for (const auto& q : peer_log_q.unbind()) rows.push_back((peer_log_p.exp() * (peer_log_p - q)).sum(-1));
  const auto peer_kl = at::stack(rows);

  const auto worst = [](const at::Tensor& a, const at::Tensor& b) {
    return (a.to(at::kDouble) - b).abs().max().item<double>();
  };
  return {{"teacher_width", teacher_width},
          {"kl_range", {kl.min().item<double>(), kl.max().item<double>()}},
          {"entropy_range", {entropy.min().item<double>(), entropy.max().item<double>()}},
          {"kl_error_of_a_position", worst(found, kl)},
          {"kl_error_of_the_mean", worst(found_mean, kl.mean(-1))},
          {"materialised_kl_error_of_a_position", worst(peer_kl, kl)},
          {"materialised_kl_error_of_the_mean", worst(peer_kl.mean(-1), kl.mean(-1))},
          {"gradient_error", relative_error(step_ours(heads, hidden).gradient, gradient)},
          {"materialised_gradient_error",
           relative_error(step_materialised(heads, hidden, at::kBFloat16, Reading::kPairByPair).gradient, gradient)}};
}

/// A line of /proc/self/status, in bytes.
double status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kibibytes = 0;
    if (word == key + ":" && status >> kibibytes) return kibibytes * 1024;
  }
  throw std::runtime_error("/proc/self/status has no " + key);
}

Json memory(const std::string& way, int64_t num_positions, int64_t vocab_size) {
  const auto heads = make_heads(3584, vocab_size);
  const auto hidden = make_hidden(heads, kLayers, kLayers, num_positions);
  std::ofstream("/proc/self/clear_refs") << "5";  // VmHWM begins anew
  const double before = status_bytes("VmRSS");
  const auto begin = std::chrono::steady_clock::now();
  if (way == "ours") step_ours(heads, hidden);
  if (way == "materialised") step_materialised(heads, hidden, at::kBFloat16, Reading::kShared);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return {{"way", way}, {"additional_bytes", status_bytes("VmHWM") - before}, {"seconds", seconds.count()}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const auto number = [&](size_t index, int64_t otherwise) {
      return index < arguments.size() ? std::stoll(arguments[index]) : otherwise;
    };
    Json result;
    if (!arguments.empty() && arguments[0] == "kl") {
      const int64_t vocab_size = number(1, kVocabSize);
      result = {accuracy(3584, vocab_size), accuracy(8192, vocab_size)};
    } else if (arguments.size() >= 3 && arguments[0] == "memory" &&
               (arguments[1] == "ours" || arguments[1] == "materialised")) {
      result = memory(arguments[1], number(2, 0), number(3, kVocabSize));
    } else if (!arguments.empty() && arguments[0] == "growth") {
      result = Json::object();
      if (has_avx512_bf16()) {
        result = {{"vocabulary", growth_of_work(GrowingSize::kVocabulary)},
                  {"positions", growth_of_work(GrowingSize::kPositions)},
                  {"layers", growth_of_work(GrowingSize::kLayers)}};
      }
    } else {
      std::fprintf(
          stderr,
          "usage: objective_accuracy kl [VOCAB_SIZE] | memory ours|materialised POSITIONS [VOCAB_SIZE] | growth\n");
      return 2;
    }
    std::printf("%s\n", result.dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "objective_accuracy: %s\n", error.what());
    return 1;
  }
}
