#include "train/gradients.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

namespace vlsi {

Gradients::Gradients(std::vector<at::Tensor> parameters, const Ranks& ranks, int64_t at_once)
    : parameters_(std::move(parameters)),
      ranks_(ranks),
      at_once_(at_once),
      gradients_(parameters_.size()),
      is_sent_(parameters_.size()),
      place_(parameters_.size()) {}

void Gradients::collect() {
  hooks_.reset();
  for (size_t i = 0; i < parameters_.size(); ++i) collect(i);
}

void Gradients::collect(size_t index) {
  auto& gradient = parameters_[index].mutable_grad();
  if (!gradient.defined()) return;
  auto& sum = gradients_[index];
  if (gradient.scalar_type() == at::kFloat) {
    sum = gradient;  // the backward passes add to it themselves
    return;
  }
  sum = sum.defined() ? sum.add_(gradient) : gradient.to(at::kFloat);
  gradient = at::Tensor();
}

void Gradients::expect_last_backward() {
  if (ranks_.size() == 1 || expected_.empty()) return;
  open_sums();
  hooks_.emplace(parameters_, [this](size_t index) {
    if (!place_[index]) return;
    at::NoGradGuard no_grad;
    collect(index);
    send(index);
  });
}

void Gradients::open_sums() {
  if (sums_ || expected_.empty()) return;
  std::vector<int64_t> num_elements;
  for (const size_t index : expected_) num_elements.push_back(parameters_[index].numel());
  sums_.emplace(num_elements, parameters_.front().options().dtype(at::kFloat).requires_grad(false), ranks_, at_once_);
}

at::Tensor Gradients::take(size_t index) {
  parameters_[index].mutable_grad() = at::Tensor();
  return std::exchange(gradients_[index], at::Tensor()).contiguous();
}

void Gradients::send(size_t index) {
  is_sent_[index] = true;
  sums_->add(*place_[index], take(index));
}

std::vector<bool> Gradients::used() const {
  const auto mine = at::zeros({std::ssize(parameters_)}, at::kByte),
             all = at::empty({ranks_.size(), mine.numel()}, at::kByte);
  auto* flags = mine.mutable_data_ptr<uint8_t>();
  for (size_t i = 0; i < parameters_.size(); ++i) flags[i] = is_sent_[i] || gradients_[i].defined();
  ranks_.all_gather(mine, all);
  const auto any = all.amax(0);
  const auto* begin = any.const_data_ptr<uint8_t>();
  return std::vector<bool>(begin, begin + any.numel());
}

void Gradients::start_sums() {
  at::NoGradGuard no_grad;
  hooks_.reset();
  open_sums();
  for (const size_t index : expected_) {
    if (gradients_[index].defined())
      send(index);  // of an earlier pass alone, or of one that was not expected to be the last
  }
  if (sums_) sums_->start_all();
}

std::vector<at::Tensor> Gradients::sum_to_shares() {
  at::NoGradGuard no_grad;
  start_sums();
  std::vector<at::Tensor> shares(parameters_.size());
  const auto sums = sums_ ? sums_->finish() : std::vector<at::Tensor>();
  sums_.reset();
  const auto is_used = used();
  std::vector<size_t> others;
  std::vector<at::Tensor> gradients;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!is_used[i]) continue;
    if (place_[i]) {
      shares[i] = sums[*place_[i]];
      continue;
    }
    others.push_back(i);
    gradients.push_back(gradients_[i].defined() ? take(i) : at::zeros_like(parameters_[i], at::kFloat));
  }
  const auto other_sums = vlsi::sum_to_shares(std::move(gradients), ranks_, at_once_);
  for (size_t i = 0; i < others.size(); ++i) shares[others[i]] = other_sums[i];
  clear();

  expected_.clear();
  place_.assign(parameters_.size(), std::nullopt);
  for (size_t i = ranks_.size() == 1 ? 0 : parameters_.size(); i-- > 0;) {
    if (!is_used[i]) continue;
    place_[i] = expected_.size();
    expected_.push_back(i);
  }
  return shares;
}

void Gradients::clear() {
  TORCH_CHECK(!sums_ || sums_->num_started() == 0, "gradients are forgotten while their sums are under way");
  hooks_.reset();
  sums_.reset();
  for (size_t i = 0; i < parameters_.size(); ++i) {
    gradients_[i] = at::Tensor();
    is_sent_[i] = false;
    parameters_[i].mutable_grad() = at::Tensor();
  }
}

}  // namespace vlsi
