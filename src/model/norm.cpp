#include "model/norm.h"

#include <ATen/ATen.h>

#include "model/fused.h"

namespace vlsi {

RmsNormLayer::RmsNormLayer(int64_t width, double eps) : eps_(eps) { weight_ = register_parameter("weight", {width}); }

at::Tensor RmsNormLayer::forward(const at::Tensor& x) const { return rms_norm(x, weight_, eps_); }

LayerNorm::LayerNorm(int64_t width, double eps) : eps_(eps) {
  weight_ = register_parameter("weight", {width});
  bias_ = register_parameter("bias", {width});
}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, {weight_.size(0)}, weight_, bias_, eps_);
}

}  // namespace vlsi
