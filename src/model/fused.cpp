#include "model/fused.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "base/parallel.h"

namespace vlsi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRowsPerTask = 64;  // a fixed cut, so that partial sums do not depend on the number of threads

// ---- float32 and bfloat16, computed on in float32 ----

using Bfloat16Bits = uint16_t;  // plain integers, which the compiler turns into float32 a vector at a time

inline float wide(float x) { return x; }
inline float wide(Bfloat16Bits x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

/// x in a tensor's number type, to the nearest, ties to even.
template <class Number>
inline Number narrow(float x) {
  if constexpr (std::is_same_v<Number, float>) {
    return x;
  } else {
    const auto bits = std::bit_cast<uint32_t>(x);
    const uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    return static_cast<Bfloat16Bits>(x == x ? rounded : 0x7fc0U);  // a NaN stays one
  }
}

template <class Number>
const Number* data_of(const at::Tensor& x) {
  if constexpr (std::is_same_v<Number, float>) {
    return x.const_data_ptr<float>();
  } else {
    return reinterpret_cast<const Number*>(x.const_data_ptr<at::BFloat16>());
  }
}

template <class Number>
Number* mutable_data_of(const at::Tensor& x) {
  return const_cast<Number*>(data_of<Number>(x));
}

bool is_plain(const at::Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

/// body(a number of x's type), for its type.
template <class Body>
void with_number_of(const at::Tensor& x, const Body& body) {
  x.scalar_type() == at::kFloat ? body(float{}) : body(Bfloat16Bits{});
}

/// 1 / (1 + e^-x): e to a power between ±ln 2 / 2 by its series, whose rest is below 1e-8, times a power of two. Below
/// -88 it is 0.
inline float sigmoid(float x) {
  constexpr float kShift = 12582912.0F;  // 1.5 · 2^23: adding it leaves the nearest integer in the low bits
  const float t = std::max(-x, -87.0F);  // a power of two that float32 has
  const float shifted = t * 1.44269504F + kShift;
  const float n = shifted - kShift;
  const float r = t - n * 0.693359375F + n * 2.12194440e-4F;  // ln 2 in two parts
  const float series =
      1 +
      r * (1 + r * (0.5F + r * (1 / 6.0F + r * (1 / 24.0F + r * (1 / 120.0F + r * (1 / 720.0F + r * (1 / 5040.0F)))))));
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kShift) + 127U) << 23;
  return x < -88 ? 0 : 1 / (1 + series * std::bit_cast<float>(exponent));
}

// ---- rows ----

/// The rows of a tensor whose rows are dense but may lie apart, as in a slice of columns.
template <class Number>
class Rows {
 public:
  explicit Rows(const at::Tensor& x) : data_(data_of<Number>(x)), stride_(x.stride(0)) {}
  const Number* operator[](int64_t row) const { return data_ + row * stride_; }

 private:
  const Number* data_;
  int64_t stride_;
};

bool has_dense_rows(const at::Tensor& x) {
  int64_t dense = 1;
  for (int64_t i = x.dim() - 1; i > 0; --i) {
    if (x.size(i) != 1 && x.stride(i) != dense) return false;
    dense *= x.size(i);
  }
  return true;
}

int64_t num_row_blocks(int64_t num_rows) { return (num_rows + kRowsPerTask - 1) / kRowsPerTask; }

/// Calls body(first row, last row, task index) for the rows cut into tasks of kRowsPerTask, in parallel.
template <class Body>
void for_row_blocks(int64_t num_rows, const Body& body) {
  parallel_for(0, num_row_blocks(num_rows), 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      body(task * kRowsPerTask, std::min(num_rows, (task + 1) * kRowsPerTask), task);
    }
  });
}

// ---- RMS norm ----

template <class Number>
void normalize(const at::Tensor& x, const at::Tensor& weight, float eps, const at::Tensor& y, const at::Tensor& scale) {
  const int64_t width = x.size(1);
  const Number *in = data_of<Number>(x), *w = data_of<Number>(weight);
  Number* out = mutable_data_of<Number>(y);
  float* scales = scale.mutable_data_ptr<float>();
  for_row_blocks(x.size(0), [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t t = begin; t < end; ++t) {
      const Number* row = in + t * width;
      float squares = 0;
#pragma omp simd reduction(+ : squares)
      for (int64_t i = 0; i < width; ++i) squares += wide(row[i]) * wide(row[i]);
      const float s = 1 / std::sqrt(squares / static_cast<float>(width) + eps);
      scales[t] = s;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i)
        out[t * width + i] = narrow<Number>(wide(narrow<Number>(wide(row[i]) * s)) * wide(w[i]));
    }
  });
}

/// The gradients to x and, unless `weight_sums` [tasks, D] is undefined, the parts of that to the weight.
template <class Number>
void normalize_backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scale, const at::Tensor& gy,
                        const at::Tensor& gx, const at::Tensor& weight_sums) {
  const int64_t width = x.size(1);
  const Number *in = data_of<Number>(x), *w = data_of<Number>(weight), *g = data_of<Number>(gy);
  const float* scales = scale.const_data_ptr<float>();
  Number* out = mutable_data_of<Number>(gx);
  float* sums = weight_sums.defined() ? weight_sums.mutable_data_ptr<float>() : nullptr;
  for_row_blocks(x.size(0), [=](int64_t begin, int64_t end, int64_t task) {
    for (int64_t t = begin; t < end; ++t) {
      const Number *row = in + t * width, *g_row = g + t * width;
      const float s = scales[t];
      float dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t i = 0; i < width; ++i) dot += wide(g_row[i]) * wide(w[i]) * wide(row[i]);
      const float pull = dot * s * s * s / static_cast<float>(width);
#pragma omp simd
      for (int64_t i = 0; i < width; ++i)
        out[t * width + i] = narrow<Number>(wide(g_row[i]) * wide(w[i]) * s - wide(row[i]) * pull);
      if (sums == nullptr) continue;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) sums[task * width + i] += wide(g_row[i]) * wide(row[i]) * s;
    }
  });
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, double eps) {
    const auto x = input.contiguous();
    auto y = at::empty_like(x), scale = at::empty({x.size(0)}, x.options().dtype(at::kFloat));
    with_number_of(x, [&](auto number) { normalize<decltype(number)>(x, weight, static_cast<float>(eps), y, scale); });
    context->save_for_backward({x, weight, scale});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &scale = saved[2];
    const auto gy = gradients[0].contiguous();
    const auto sums = context->needs_input_grad(1) ? at::zeros({num_row_blocks(x.size(0)), x.size(1)}, scale.options())
                                                   : at::Tensor();
    auto gx = at::empty_like(x);
    with_number_of(x, [&](auto number) { normalize_backward<decltype(number)>(x, weight, scale, gy, gx, sums); });
    return {gx, sums.defined() ? sums.sum(0).to(weight.scalar_type()) : at::Tensor(), at::Tensor()};
  }
};

// ---- SwiGLU ----

template <class Number>
void gate_rows(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& y) {
  const int64_t width = gate.size(1);
  const Rows<Number> g(gate), u(up);
  Number* out = mutable_data_of<Number>(y);
  for_row_blocks(gate.size(0), [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t t = begin; t < end; ++t) {
      const Number *g_row = g[t], *u_row = u[t];
      Number* out_row = out + t * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i)
        out_row[i] = narrow<Number>(wide(g_row[i]) * sigmoid(wide(g_row[i])) * wide(u_row[i]));
    }
  });
}

template <class Number>
void gate_rows_backward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& gy, const at::Tensor& g_gate,
                        const at::Tensor& g_up) {
  const int64_t width = gate.size(1);
  const Rows<Number> g(gate), u(up), gradient(gy);
  Number *out_gate = mutable_data_of<Number>(g_gate), *out_up = mutable_data_of<Number>(g_up);
  for_row_blocks(gate.size(0), [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t t = begin; t < end; ++t) {
      const Number *g_row = g[t], *u_row = u[t], *gy_row = gradient[t];
      Number *gate_row = out_gate + t * width, *up_row = out_up + t * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) {
        const float x = wide(g_row[i]), s = sigmoid(x), gradient_s = wide(gy_row[i]) * s;
        up_row[i] = narrow<Number>(gradient_s * x);
        gate_row[i] = narrow<Number>(gradient_s * wide(u_row[i]) * (1 + x * (1 - s)));
      }
    }
  });
}

class SwiGlu : public torch::autograd::Function<SwiGlu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    auto y = at::empty(gate.sizes(), gate.options());
    with_number_of(gate, [&](auto number) { gate_rows<decltype(number)>(gate, up, y); });
    context->save_for_backward({gate, up});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &gate = saved[0], &up = saved[1];
    const auto gy = gradients[0].contiguous();
    auto g_gate = at::empty_like(gy), g_up = at::empty_like(gy);
    with_number_of(gate, [&](auto number) { gate_rows_backward<decltype(number)>(gate, up, gy, g_gate, g_up); });
    return {g_gate, g_up};
  }
};

// ---- x sigmoid(f(x)) ----

struct QuickGelu {
  static float argument(float x) { return 1.702F * x; }
  static float slope(float) { return 1.702F; }
};

/// (1 + tanh(u)) / 2 is sigmoid(2 u).
struct GeluTanh {
  static constexpr float kFactor = 1.59576912F;  // 2 √(2/π)
  static float argument(float x) { return kFactor * (x + 0.044715F * x * x * x); }
  static float slope(float x) { return kFactor * (1 + 3 * 0.044715F * x * x); }
};

template <class Gelu>
class SelfGated : public torch::autograd::Function<SelfGated<Gelu>> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input) {
    const auto x = input.contiguous();
    auto y = at::empty_like(x);
    with_number_of(x, [&](auto number) {
      const auto* in = data_of<decltype(number)>(x);
      auto* out = mutable_data_of<decltype(number)>(y);
      for_row_blocks(num_rows(x), [=, end_of_x = x.numel()](int64_t begin, int64_t end, int64_t) {
#pragma omp simd
        for (int64_t i = begin * kRow; i < std::min(end * kRow, end_of_x); ++i) {
          const float value = wide(in[i]);
          out[i] = narrow<decltype(number)>(value * sigmoid(Gelu::argument(value)));
        }
      });
    });
    context->save_for_backward({x});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto x = context->get_saved_variables()[0], gy = gradients[0].contiguous();
    auto gx = at::empty_like(x);
    with_number_of(x, [&](auto number) {
      const auto *in = data_of<decltype(number)>(x), *g = data_of<decltype(number)>(gy);
      auto* out = mutable_data_of<decltype(number)>(gx);
      for_row_blocks(num_rows(x), [=, end_of_x = x.numel()](int64_t begin, int64_t end, int64_t) {
#pragma omp simd
        for (int64_t i = begin * kRow; i < std::min(end * kRow, end_of_x); ++i) {
          const float value = wide(in[i]), s = sigmoid(Gelu::argument(value));
          out[i] = narrow<decltype(number)>(wide(g[i]) * s * (1 + value * (1 - s) * Gelu::slope(value)));
        }
      });
    });
    return {gx};
  }

 private:
  static constexpr int64_t kRow = 1024;  // numbers that are dealt out together
  static int64_t num_rows(const at::Tensor& x) { return (x.numel() + kRow - 1) / kRow; }
};

// ---- rotation ----

/// One rotation by the given angles; by their negatives it is the gradient.
template <class Number>
void rotate_rows(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, float direction,
                 const at::Tensor& y) {
  const int64_t num_heads = x.size(1), half = x.size(2) / 2;
  const Rows<Number> in(x);
  const Number *c = data_of<Number>(cos), *s = data_of<Number>(sin);
  Number* out = mutable_data_of<Number>(y);
  for_row_blocks(x.size(0), [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t t = begin; t < end; ++t) {
      const Number *cos_row = c + t * half, *sin_row = s + t * half;
      for (int64_t head = 0; head < num_heads; ++head) {
        const Number* from = in[t] + head * 2 * half;
        Number* to = out + (t * num_heads + head) * 2 * half;
#pragma omp simd
        for (int64_t j = 0; j < half; ++j) {
          const float first = wide(from[j]), second = wide(from[half + j]), stay = wide(cos_row[j]),
                      turn = direction * wide(sin_row[j]);
          to[j] = narrow<Number>(first * stay - second * turn);
          to[half + j] = narrow<Number>(second * stay + first * turn);
        }
      }
    }
  });
}

at::Tensor rotated(const at::Tensor& input, const at::Tensor& cos, const at::Tensor& sin, float direction) {
  const auto x = input.size(0) > 0 && has_dense_rows(input) ? input : input.contiguous();
  auto y = at::empty(x.sizes(), x.options());
  with_number_of(x, [&](auto number) { rotate_rows<decltype(number)>(x, cos, sin, direction, y); });
  return y;
}

class Rotate : public torch::autograd::Function<Rotate> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotated(x, cos, sin, 1);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {rotated(gradients[0], saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm_plain(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const auto wide = x.to(at::promote_types(x.scalar_type(), at::kFloat));
  const auto scale = at::rsqrt(wide.square().mean(-1, true) + eps);
  return (wide * scale).to(x.scalar_type()) * weight;
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const bool fits = is_plain(x) && x.dim() == 2 && weight.scalar_type() == x.scalar_type() && weight.is_contiguous();
  return fits ? RmsNorm::apply(x, weight, eps) : rms_norm_plain(x, weight, eps);
}

at::Tensor swiglu_plain(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate) * up; }

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  const bool fits = is_plain(gate) && gate.dim() == 2 && gate.size(0) > 0 && has_dense_rows(gate) && has_dense_rows(up);
  return fits ? SwiGlu::apply(gate, up) : swiglu_plain(gate, up);
}

at::Tensor quick_gelu_plain(const at::Tensor& x) { return x * at::sigmoid(x * 1.702); }
at::Tensor gelu_tanh_plain(const at::Tensor& x) { return at::gelu(x, "tanh"); }

at::Tensor quick_gelu(const at::Tensor& x) {
  return is_plain(x) ? SelfGated<QuickGelu>::apply(x) : quick_gelu_plain(x);
}
at::Tensor gelu_tanh(const at::Tensor& x) { return is_plain(x) ? SelfGated<GeluTanh>::apply(x) : gelu_tanh_plain(x); }

at::Tensor rotate_plain(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  const auto rotated = at::cat({-halves[1], halves[0]}, -1);
  return x * at::cat({cos, cos}, -1).unsqueeze(1) + rotated * at::cat({sin, sin}, -1).unsqueeze(1);
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  return is_plain(x) ? Rotate::apply(x, cos.contiguous(), sin.contiguous()) : rotate_plain(x, cos, sin);
}

}  // namespace vlsi
