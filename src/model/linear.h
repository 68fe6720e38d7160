// The linear map, with an optional low-rank adapter beside it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "model/module.h"
#include "model/quantized_weight.h"

namespace vlsi {

/// y = x Wᵀ + b + scale · (x Aᵀ) Bᵀ; W [out, in], b [out] or none, A [rank, in], B [out, rank] or none.
/// A and B are float32 and are rounded to x's dtype for its products.
/// Parameters are `weight`, `bias`, `lora_A`, `lora_B`; they hold no values until loaded or initialised.
class Linear : public Module {
 public:
  Linear(int64_t in_features, int64_t out_features, bool with_bias);

  /// x [..., in] -> [..., out]
  at::Tensor forward(const at::Tensor& x) const;
  /// The same of a few rows x [T, in], for decoding: on a CPU without gradients the weight is read once, and a row is
  /// the same bit for bit whatever rows are beside it (row_products.h). Otherwise it is forward(x).
  at::Tensor forward_rows(const at::Tensor& x) const;
  /// Zeros in the shape of forward(x), with the gradients of forward(x): for a backward pass that runs a layer again
  /// and reads nothing of what this map, its last one, gives.
  at::Tensor forward_without_values(const at::Tensor& x) const;

  /// Adds a float32 adapter that changes nothing yet: A uniform in ±1/√in from `generator`, B zero.
  void add_lora(int64_t rank, double alpha, at::Generator generator);
  /// Adds the float32 adapter A [rank, in], B [out, rank], whose output is scaled by `scale`.
  void set_lora(const at::Tensor& a, const at::Tensor& b, double scale);
  bool has_lora() const { return lora_a_.defined(); }
  const at::Tensor& lora_a() const { return lora_a_; }
  const at::Tensor& lora_b() const { return lora_b_; }
  double lora_scale() const { return lora_scale_; }
  /// W + scale · B A, computed in float32 and rounded once to `dtype`; W itself without an adapter.
  at::Tensor merged_weight(at::ScalarType dtype) const;

  /// From now on the weight is in 8 or 4 bits a number, as `kind` says; the parameter `weight` has no values any more.
  /// A gradient of it is not to be wanted.
  void quantize(Quantization kind);
  /// The same with a weight that quantize_weight made of this map's.
  void set_quantized(QuantizedWeight weight);
  bool is_quantized() const { return quantized_.has_value(); }

  /// Without values where the map is quantised.
  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return bias_; }

 private:
  friend std::vector<at::Tensor> forward_rows_together(const at::Tensor& x, const std::vector<const Linear*>& maps);
  at::Tensor map(const at::Tensor& x, bool with_values) const;
  /// What the adapter adds to the rows x, in float32.
  at::Tensor adapted_rows(const at::Tensor& x) const;

  at::Tensor weight_, bias_, lora_a_, lora_b_;
  std::optional<QuantizedWeight> quantized_;
  double lora_scale_ = 0;
};

/// What several maps make of the same x [T, in]; one product over their joined weights where they are small, which
/// keeps a narrow model's products wide. The results may be slices of one tensor.
std::vector<at::Tensor> forward_together(const at::Tensor& x, const std::vector<const Linear*>& maps);

/// The same of a few rows, as Linear::forward_rows.
std::vector<at::Tensor> forward_rows_together(const at::Tensor& x, const std::vector<const Linear*>& maps);

}  // namespace vlsi
