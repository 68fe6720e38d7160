#include "objective/divergence.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "objective/cpu/tile_products.h"
#include "objective/head_summary.h"

namespace vlsi {
namespace {

constexpr int64_t kBlockRows = 512;      // positions of a block: its tile of logits is 2 MiB
constexpr int64_t kGatheredRows = 2048;  // head rows of top words that are averaged at once

at::Tensor float_at_least(const at::Tensor& x) { return x.to(at::promote_types(x.scalar_type(), at::kFloat)); }

/// Losses whose gradient was computed with them.
class KnownGradient : public torch::autograd::Function<KnownGradient> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& u, const at::Tensor& losses,
                            const at::Tensor& gradient) {
    context->save_for_backward({gradient});
    context->saved_data["dtype"] = u.scalar_type();
    return losses.clone();
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto gradient = gradients[0].unsqueeze(-1) * context->get_saved_variables()[0];  // [N, D]
    return {gradient.to(context->saved_data["dtype"].toScalarType()), at::Tensor(), at::Tensor()};
  }
};

HeadSummary student_summary(const LastRows& rows) {  // [1, N], [1, N, D]
  const auto head = rows.head.detach();
  return head_summary(rows.u.detach().unsqueeze(0), head, head);
}

/// Calls visit(first, head rows of the tile as floats) for every tile of a head.
template <class Visit>
void for_each_tile(const at::Tensor& head, const Visit& visit) {
  for (int64_t first = 0; first < head.size(0); first += kTileRows) {
    visit(first, float_at_least(head.narrow(0, first, std::min(kTileRows, head.size(0) - first))));
  }
}

/// Calls visit(first, count) for every block of `num_rows` positions.
template <class Visit>
void for_each_block(int64_t num_rows, const Visit& visit) {
  for (int64_t first = 0; first < num_rows; first += kBlockRows) visit(first, std::min(kBlockRows, num_rows - first));
}

/// [N]. u [N, D], of at least float32.
at::Tensor tiled_logsumexp(const at::Tensor& u, const at::Tensor& head) {
  auto sum = at::full({u.size(0)}, -std::numeric_limits<double>::infinity(), u.options());
  for_each_tile(head, [&](int64_t, const at::Tensor& tile) {
    for_each_block(u.size(0), [&](int64_t first, int64_t count) {
      auto part = sum.narrow(0, first, count);
      part.copy_(at::logaddexp(part, at::logsumexp(at::mm(u.narrow(0, first, count), tile.t()), -1)));
    });
  });
  return sum;
}

// ---- divergences that need both distributions of a word: two passes over the vocabulary ----

/// What words [N, tile] add: to the loss, and q dL/dq, less a constant that the gradient does not see, which is zero
/// where p and q agree.
struct WordTerms {
  at::Tensor value, pull;
};
using TermsOf = WordTerms (*)(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig& config);

WordTerms reverse_kl_terms(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig&) {
  const auto terms = log_q.exp().mul_(log_q - log_p);
  return {terms, terms};
}

/// log(share p + (1 - share) q)
at::Tensor log_mixture(const at::Tensor& log_p, const at::Tensor& log_q, double share) {
  return at::logaddexp(log_p + std::log(share), log_q + std::log1p(-share));
}

WordTerms jsd_terms(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig& config) {
  const double beta = config.jsd_beta;
  const auto log_m = log_mixture(log_p, log_q, beta);
  const auto of_student = (log_q - log_m).mul_(log_q.exp()).mul_(1 - beta);
  return {of_student + (log_p - log_m).mul_(log_p.exp()).mul_(beta), of_student};
}

WordTerms skew_kl_terms(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig& config) {
  const double alpha = config.skew_alpha;
  const auto ratio = log_p - log_mixture(log_p, log_q, alpha);
  return {log_p.exp() * ratio, ratio.expm1().mul_(log_q.exp()).mul_(alpha - 1)};
}

/// The first pass gives the log-sum-exps and the row A that the student expects; the second sums value v, pull w and
/// w W[v]:
///     dL/du = sum of w W[v] - (sum of w) A
template <TermsOf kTerms>
at::Tensor two_pass_losses(const LastRows& rows, const DivergenceConfig& config) {
  at::Tensor losses, gradient;
  {
    at::NoGradGuard no_grad;
    const auto u = float_at_least(as_head_reads(rows.u, rows.head)),
               v = float_at_least(as_head_reads(rows.u_teacher, rows.teacher_head));
    const auto student = student_summary(rows);
    const auto log_sum_q = student.logsumexp[0].unsqueeze(-1), log_sum_p = tiled_logsumexp(v, rows.teacher_head);
    losses = at::zeros({u.size(0)}, u.options());
    gradient = at::zeros_like(u);
    auto pulls = at::zeros_like(losses);
    for_each_tile(rows.head, [&](int64_t first_word, const at::Tensor& tile) {
      const auto teacher_tile = float_at_least(rows.teacher_head.narrow(0, first_word, tile.size(0)));
      for_each_block(u.size(0), [&](int64_t first, int64_t count) {
        const auto of = [&](const at::Tensor& x) { return x.narrow(0, first, count); };
        const auto log_q = at::mm(of(u), tile.t()).sub_(of(log_sum_q)),
                   log_p = at::mm(of(v), teacher_tile.t()).sub_(of(log_sum_p).unsqueeze(-1));
        const auto [value, pull] = kTerms(log_p, log_q, config);
        of(losses).add_(value.sum(-1));
        of(pulls).add_(pull.sum(-1));
        of(gradient).addmm_(pull, tile);
      });
    });
    gradient.sub_(pulls.unsqueeze(-1) * student.expected_row[0]);
  }
  return KnownGradient::apply(rows.u, losses, gradient);
}

/// Logits of both heads, the teacher's twice, and the average of the student's rows.
Cost two_pass_cost(const LastSizes& sizes, const DivergenceConfig&) {
  constexpr double kTiles = 8;  // of logits, log-probabilities and terms, at once
  const double num_rows = std::min(sizes.num_rows, static_cast<double>(kBlockRows));
  Cost cost;
  cost.working_floats = kTileRows * (sizes.width + sizes.teacher_width + kTiles * num_rows) +
                        sizes.num_rows * (3 * sizes.width + sizes.teacher_width);
  cost.operations = 4 * sizes.num_rows * sizes.vocab_size * (sizes.width + sizes.teacher_width);
  return cost;
}

// ---- the KL of the teacher's likeliest words: a summary like any other ----

/// The words of the largest logits: [N, k] both, or all words where there are fewer.
struct TopWords {
  at::Tensor logits, words;
};

TopWords top_words(const at::Tensor& u, const at::Tensor& head, int64_t k) {
  TopWords top{at::empty({u.size(0), 0}, u.options()), at::empty({u.size(0), 0}, u.options().dtype(at::kLong))};
  for_each_tile(head, [&](int64_t first_word, const at::Tensor& tile) {
    const int64_t num_kept = std::min(k, top.words.size(1) + tile.size(0));
    const TopWords kept{at::empty({u.size(0), num_kept}, u.options()),
                        at::empty({u.size(0), num_kept}, top.words.options())};
    for_each_block(u.size(0), [&](int64_t first, int64_t count) {
      const auto of = [&](const at::Tensor& x) { return x.narrow(0, first, count); };
      const auto [logits, words] = at::mm(of(u), tile.t()).topk(std::min(k, tile.size(0)));
      const auto found = at::cat({of(top.logits), logits}, 1), among = at::cat({of(top.words), words + first_word}, 1);
      const auto [best, places] = found.topk(num_kept);
      of(kept.logits).copy_(best);
      of(kept.words).copy_(among.gather(1, places));
    });
    top = kept;
  });
  return top;
}

/// The rows of a head averaged by `probabilities` [N, k] of `words` [N, k]: [N, D].
at::Tensor averaged_rows(const at::Tensor& head, const at::Tensor& words, const at::Tensor& probabilities) {
  const auto averaged = at::empty({words.size(0), head.size(1)}, probabilities.options());
  const int64_t at_once = std::max<int64_t>(1, kGatheredRows / words.size(1));
  for (int64_t first = 0; first < words.size(0); first += at_once) {
    const int64_t count = std::min(at_once, words.size(0) - first);
    const auto rows = float_at_least(head.index_select(0, words.narrow(0, first, count).reshape({-1})));
    averaged.narrow(0, first, count)
        .copy_(at::bmm(probabilities.narrow(0, first, count).unsqueeze(1), rows.view({count, -1, head.size(1)}))
                   .squeeze(1));
  }
  return averaged;
}

/// p is cut to its likeliest words and made to add up to one again; then KL = c - B · u - H as for any p.
at::Tensor top_k_losses(const LastRows& rows, const DivergenceConfig& config) {
  at::Tensor losses, gradient;
  {
    at::NoGradGuard no_grad;
    const auto v = float_at_least(as_head_reads(rows.u_teacher, rows.teacher_head));
    const auto top = top_words(v, rows.teacher_head, config.top_k);
    const auto log_p = at::log_softmax(top.logits, -1), p = log_p.exp();
    const auto student = student_summary(rows);
    const auto u = as_head_reads(rows.u, rows.head).to(student.logsumexp.scalar_type());
    const auto teacher_row = averaged_rows(rows.head, top.words, p);  // [N, D]
    losses = student.logsumexp[0] - (teacher_row * u).sum(-1) + (p * log_p).sum(-1);
    gradient = student.expected_row[0] - teacher_row;
  }
  return KnownGradient::apply(rows.u, losses, gradient);
}

/// The teacher's logits, and the gathered rows.
Cost top_k_cost(const LastSizes& sizes, const DivergenceConfig& config) {
  constexpr double kTiles = 2;
  const auto k = static_cast<double>(config.top_k);
  const double num_rows = std::min(sizes.num_rows, static_cast<double>(kBlockRows));
  Cost cost;
  cost.working_floats = kTileRows * (sizes.teacher_width + kTiles * num_rows) +
                        std::max<double>(kGatheredRows, k) * sizes.width + sizes.num_rows * (3 * sizes.width + 4 * k);
  cost.operations = 2 * sizes.num_rows * (sizes.vocab_size * sizes.teacher_width + k * sizes.width);
  return cost;
}

// ---- the definitions ----

at::Tensor kl_plain(const at::Tensor& log_p, const at::Tensor& log_q) {
  return (log_p.exp() * (log_p - log_q)).sum(-1);
}

at::Tensor reverse_kl_plain(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig&) {
  return kl_plain(log_q, log_p);
}

at::Tensor jsd_plain(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig& config) {
  const double beta = config.jsd_beta;
  const auto log_m = (beta * log_p.exp() + (1 - beta) * log_q.exp()).log();
  return beta * kl_plain(log_p, log_m) + (1 - beta) * kl_plain(log_q, log_m);
}

at::Tensor skew_kl_plain(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig& config) {
  const double alpha = config.skew_alpha;
  return kl_plain(log_p, (alpha * log_p.exp() + (1 - alpha) * log_q.exp()).log());
}

at::Tensor top_k_plain(const at::Tensor& log_p, const at::Tensor& log_q, const DivergenceConfig& config) {
  const auto [kept, words] = log_p.topk(std::min(config.top_k, log_p.size(-1)));
  return kl_plain(at::log_softmax(kept, -1), log_q.gather(-1, words));
}

}  // namespace

Table<Divergence>& divergences() {
  static Table<Divergence> table{
      {"reverse_kl", "the KL from student to teacher", two_pass_losses<reverse_kl_terms>, reverse_kl_plain,
       two_pass_cost},
      {"jsd", "Jensen-Shannon, the teacher's share of the mixture jsd_beta", two_pass_losses<jsd_terms>, jsd_plain,
       two_pass_cost},
      {"skew_kl", "the KL from the teacher to a mixture, its own share skew_alpha", two_pass_losses<skew_kl_terms>,
       skew_kl_plain, two_pass_cost},
      {"top_k_kl", "the KL from the teacher's top_k likeliest words", top_k_losses, top_k_plain, top_k_cost}};
  return table;
}

}  // namespace vlsi
