// Norms with learnt weights. (D width)
#pragma once

#include <ATen/core/Tensor.h>

#include "model/module.h"

namespace vlsi {

/// RMS norm with parameter `weight` [D].
class RmsNormLayer : public Module {
 public:
  RmsNormLayer(int64_t width, double eps);
  at::Tensor forward(const at::Tensor& x) const;
  const at::Tensor& weight() const { return weight_; }

 private:
  at::Tensor weight_;
  double eps_;
};

/// Layer norm with parameters `weight`, `bias` [D].
class LayerNorm : public Module {
 public:
  LayerNorm(int64_t width, double eps);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
  double eps_;
};

}  // namespace vlsi
