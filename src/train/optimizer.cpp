#include "train/optimizer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "ranks/shares.h"

namespace vlsi {
namespace {

constexpr int64_t kMostAccumulated = 1'000'000;  // all micro-batches of an iteration are in memory before it begins

std::vector<at::Tensor> tensors_of(const NamedTensors& named) {
  std::vector<at::Tensor> tensors;
  for (const auto& item : named) tensors.push_back(item.second);
  return tensors;
}

}  // namespace

void check(const OptimizerConfig& config, const std::string& key, const std::string& place) {
  const auto expect = [&](bool holds, const char* name, auto value, const std::string& expected) {
    expect_value(holds, place, concat(key, '.', name), value, expected);
  };
  const auto& c = config;
  expect(c.learning_rate > 0, "learning_rate", c.learning_rate, "a number above 0");
  expect(c.final_learning_rate >= 0, "final_learning_rate", c.final_learning_rate, "0 or more");
  expect(c.warmup >= 0 && c.warmup < 1, "warmup", c.warmup, "a share of the iterations, from 0 to below 1");
  expect(c.betas.size() == 2, "betas", concat("a list of ", c.betas.size()), "two numbers");
  for (const double beta : c.betas) expect(beta >= 0 && beta < 1, "betas", beta, "numbers from 0 to below 1");
  expect(c.eps > 0, "eps", c.eps, "a number above 0");
  expect(c.weight_decay >= 0, "weight_decay", c.weight_decay, "0 or more");
  expect(c.clip_norm >= 0, "clip_norm", c.clip_norm, "0 or more");
  expect(c.accumulate >= 1 && c.accumulate <= kMostAccumulated, "accumulate", c.accumulate,
         concat("1 to ", kMostAccumulated));
}

double learning_rate(const OptimizerConfig& config, int64_t iteration, int64_t iterations) {
  const auto warmup = static_cast<int64_t>(std::llround(config.warmup * static_cast<double>(iterations)));
  if (iteration < warmup)
    return config.learning_rate * static_cast<double>(iteration + 1) / static_cast<double>(warmup);
  if (config.schedule == Schedule::kConstant) return config.learning_rate;
  const double progress =
      static_cast<double>(iteration - warmup) / static_cast<double>(std::max<int64_t>(1, iterations - warmup));
  return config.final_learning_rate +
         (config.learning_rate - config.final_learning_rate) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

AdamW::AdamW(NamedTensors parameters, const OptimizerConfig& config, const Ranks& ranks, int64_t at_once)
    : config_(config), ranks_(ranks), at_once_(at_once), gradients_(tensors_of(parameters), ranks, at_once) {
  for (auto& [name, parameter] : parameters) {
    TORCH_CHECK(parameter.is_contiguous(), name, " is not contiguous");
    const auto share = share_of(parameter);
    const auto master = parameter.scalar_type() == at::kFloat ? share : share.to(at::kFloat);
    entries_.push_back(
        {name, parameter, master, at::zeros_like(master), at::zeros_like(master), at::zeros({}, at::kFloat)});
  }
}

at::Tensor AdamW::share_of(const at::Tensor& parameter) const {
  const auto [begin, length] = rank_share(parameter.numel(), ranks_);
  return parameter.detach().view(-1).narrow(0, begin, length);
}

double AdamW::step(double rate) {
  at::NoGradGuard no_grad;
  const auto gradients = gradients_.sum_to_shares();
  std::vector<Entry*> used;
  std::vector<AdamwTensors> all;
  bool are_plain = true;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!gradients[i].defined()) continue;
    auto& entry = entries_[i];
    used.push_back(&entry);
    entry.steps.add_(1);
    if (gradients[i].numel() == 0) continue;  // a small parameter has no share for the last ranks
    all.push_back({entry.master, gradients[i], entry.exp_avg, entry.exp_avg_sq, entry.steps.item<double>()});
    are_plain = are_plain && is_plain(all.back());
  }
  if (used.empty()) return 0;
  const double norm = are_plain ? step_plain(all, rate) : step_on_device(all, rate);
  publish(used);
  return norm;
}

void AdamW::publish(const std::vector<Entry*>& entries) const {
  std::vector<at::Tensor> parameters;
  for (const auto* entry : entries) {
    if (entry->has_master()) share_of(entry->parameter).copy_(entry->master);
    parameters.push_back(entry->parameter.detach());
  }
  exchange_shares(parameters, ranks_, at_once_);
}

double AdamW::whole_norm(double mine) const {
  if (ranks_.size() == 1) return mine;
  const auto squares = at::empty({ranks_.size(), 1}, at::kDouble);
  ranks_.all_gather(at::full({1}, mine * mine, at::kDouble), squares);
  double sum = 0;
  for (int64_t rank = 0; rank < ranks_.size(); ++rank) sum += squares[rank].item<double>();
  return std::sqrt(sum);
}

double AdamW::clip_scale(double norm) const {
  return config_.clip_norm > 0 ? std::min(1.0, config_.clip_norm / (norm + 1e-6)) : 1.0;
}

double AdamW::step_plain(const std::vector<AdamwTensors>& all, double rate) const {
  const double norm = whole_norm(gradient_norm(all));
  adamw_update(all, {rate, config_.betas[0], config_.betas[1], config_.eps, config_.weight_decay}, clip_scale(norm));
  return norm;
}

double AdamW::step_on_device(const std::vector<AdamwTensors>& all, double rate) const {
  std::vector<at::Tensor> masters, gradients, exp_avgs, exp_avg_sqs, steps;
  for (const auto& tensors : all) {
    masters.push_back(tensors.parameter);
    gradients.push_back(tensors.gradient);
    exp_avgs.push_back(tensors.exp_avg);
    exp_avg_sqs.push_back(tensors.exp_avg_sq);
    steps.push_back(at::full({}, tensors.step, tensors.parameter.options()));
  }
  const double norm = whole_norm(at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)), 2).item<double>());
  if (const double scale = clip_scale(norm); scale < 1) at::_foreach_mul_(gradients, scale);
  at::_fused_adamw_(masters, gradients, exp_avgs, exp_avg_sqs, {}, steps, rate, config_.betas[0], config_.betas[1],
                    config_.weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false);
  return norm;
}

std::vector<TensorSource> AdamW::state() const {
  std::vector<TensorSource> sources;
  for (const auto& entry : entries_) {
    const auto add = [&](const char* prefix, const at::Tensor& share) {
      const auto shape = entry.parameter.sizes().vec();
      sources.push_back({prefix + entry.name, at::kFloat, shape,
                         [this, share, shape] { return gather_shares(share, shape, ranks_); }});
    };
    if (entry.has_master()) {
      add("parameter.", entry.master);
    } else {
      sources.push_back(source_of("parameter." + entry.name, entry.parameter.detach()));
    }
    add("exp_avg.", entry.exp_avg);
    add("exp_avg_sq.", entry.exp_avg_sq);
    sources.push_back(source_of("steps." + entry.name, entry.steps));
  }
  return sources;
}

void AdamW::load_state(const FoundCheckpoint& checkpoint) {
  at::NoGradGuard no_grad;
  checkpoint.check_has(state());
  std::vector<Entry*> entries;
  for (auto& entry : entries_) {
    const auto restore = [&](const char* prefix, at::Tensor& share) {
      share.copy_(share_of(checkpoint.tensors->tensor(prefix + entry.name)));
    };
    restore("parameter.", entry.master);
    restore("exp_avg.", entry.exp_avg);
    restore("exp_avg_sq.", entry.exp_avg_sq);
    entry.steps.copy_(checkpoint.tensors->tensor("steps." + entry.name));
    entries.push_back(&entry);
  }
  publish(entries);
}

}  // namespace vlsi
