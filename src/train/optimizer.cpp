#include "train/optimizer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace vlsi {

void check(const OptimizerConfig& config, const std::string& place) {
  const auto demand = [&](bool good, const char* what) {
    if (!good) fail(place, ": ", what);
  };
  demand(config.learning_rate > 0, "learning_rate must be above 0");
  demand(config.final_learning_rate >= 0, "final_learning_rate must be 0 or more");
  demand(config.warmup >= 0 && config.warmup < 1, "warmup is a share of the iterations, from 0 to below 1");
  demand(config.betas.size() == 2, "betas are two numbers");
  for (const double beta : config.betas) demand(beta >= 0 && beta < 1, "betas are from 0 to below 1");
  demand(config.eps > 0, "eps must be above 0");
  demand(config.weight_decay >= 0, "weight_decay must be 0 or more");
  demand(config.clip_norm >= 0, "clip_norm must be 0 or more");
  demand(config.accumulate >= 1, "accumulate must be 1 or more");
}

double learning_rate(const OptimizerConfig& config, int64_t iteration, int64_t iterations) {
  const auto warmup = static_cast<int64_t>(std::llround(config.warmup * static_cast<double>(iterations)));
  if (iteration < warmup) return config.learning_rate * static_cast<double>(iteration + 1) / static_cast<double>(warmup);
  if (config.schedule == Schedule::kConstant) return config.learning_rate;
  const double progress = static_cast<double>(iteration - warmup) / static_cast<double>(std::max<int64_t>(1, iterations - warmup));
  return config.final_learning_rate +
         (config.learning_rate - config.final_learning_rate) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

AdamW::AdamW(NamedTensors parameters, const OptimizerConfig& config) : config_(config) {
  for (auto& [name, parameter] : parameters) {
    const auto master = parameter.scalar_type() == at::kFloat ? parameter.detach() : parameter.detach().to(at::kFloat);
    entries_.push_back({name, parameter, master, at::Tensor(), at::zeros_like(master), at::zeros_like(master),
                        at::zeros({}, at::kFloat)});
  }
}

void AdamW::collect_gradients() {
  for (auto& entry : entries_) {
    auto& gradient = entry.parameter.mutable_grad();
    if (!gradient.defined()) continue;
    if (entry.parameter.scalar_type() == at::kFloat) {
      entry.gradient = gradient;
      continue;
    }
    entry.gradient = entry.gradient.defined() ? entry.gradient.add_(gradient) : gradient.to(at::kFloat);
    gradient = at::Tensor();
  }
}

void AdamW::clear_gradients() {
  for (auto& entry : entries_) {
    entry.gradient = at::Tensor();
    entry.parameter.mutable_grad() = at::Tensor();
  }
}

double AdamW::step(double rate) {
  at::NoGradGuard no_grad;
  std::vector<AdamwTensors> all;
  bool are_plain = true;
  for (auto& entry : entries_) {
    if (!entry.gradient.defined()) continue;
    entry.steps.add_(1);
    all.push_back(
        {entry.master, entry.gradient.contiguous(), entry.exp_avg, entry.exp_avg_sq, entry.steps.item<double>()});
    are_plain = are_plain && is_plain(all.back());
  }
  if (all.empty()) return 0;
  const double norm = are_plain ? step_plain(all, rate) : step_on_device(all, rate);
  for (auto& entry : entries_) {
    if (entry.gradient.defined() && !entry.master.is_alias_of(entry.parameter)) entry.parameter.detach().copy_(entry.master);
  }
  clear_gradients();
  return norm;
}

double AdamW::clip_scale(double norm) const {
  return config_.clip_norm > 0 ? std::min(1.0, config_.clip_norm / (norm + 1e-6)) : 1.0;
}

double AdamW::step_plain(const std::vector<AdamwTensors>& all, double rate) const {
  const double norm = gradient_norm(all);
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
  const double norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)), 2).item<double>();
  if (const double scale = clip_scale(norm); scale < 1) at::_foreach_mul_(gradients, scale);
  at::_fused_adamw_(masters, gradients, exp_avgs, exp_avg_sqs, {}, steps, rate, config_.betas[0], config_.betas[1],
                    config_.weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false);
  return norm;
}

NamedTensors AdamW::state() const {
  NamedTensors tensors;
  for (const auto& entry : entries_) {
    tensors.emplace_back("parameter." + entry.name, entry.master);
    tensors.emplace_back("exp_avg." + entry.name, entry.exp_avg);
    tensors.emplace_back("exp_avg_sq." + entry.name, entry.exp_avg_sq);
    tensors.emplace_back("steps." + entry.name, entry.steps);
  }
  return tensors;
}

void AdamW::load_state(const FoundCheckpoint& checkpoint) {
  at::NoGradGuard no_grad;
  checkpoint.check_has(state());
  for (auto& entry : entries_) {
    const auto restore = [&](const char* prefix, at::Tensor& target) {
      target.copy_(checkpoint.tensor(prefix + entry.name, target));
    };
    restore("parameter.", entry.master);
    restore("exp_avg.", entry.exp_avg);
    restore("exp_avg_sq.", entry.exp_avg_sq);
    restore("steps.", entry.steps);
    if (!entry.master.is_alias_of(entry.parameter)) entry.parameter.detach().copy_(entry.master);
  }
}

}  // namespace vlsi
