#include "model/fused.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "base/parallel.h"

namespace vlsi {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRowsPerTask = 64;  // a fixed cut, so that partial sums do not depend on the number of threads

bool is_plain_float(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

/// The rows of a tensor whose rows are dense but may lie apart, as in a slice of columns.
class Rows {
 public:
  explicit Rows(const at::Tensor& x) : data_(x.const_data_ptr<float>()), stride_(x.stride(0)) {}
  const float* operator[](int64_t row) const { return data_ + row * stride_; }

 private:
  const float* data_;
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

/// Calls body(first row, last row, task index) for the rows cut into tasks of kRowsPerTask, in parallel.
template <class Body>
void for_row_blocks(int64_t num_rows, const Body& body) {
  const int64_t num_tasks = (num_rows + kRowsPerTask - 1) / kRowsPerTask;
  parallel_for(0, num_tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      body(task * kRowsPerTask, std::min(num_rows, (task + 1) * kRowsPerTask), task);
    }
  });
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input, const at::Tensor& weight, double eps) {
    const auto x = input.contiguous();
    const int64_t num_rows = x.size(0), width = x.size(1);
    auto y = at::empty_like(x), scale = at::empty({num_rows}, x.options());
    const float *in = x.const_data_ptr<float>(), *w = weight.const_data_ptr<float>();
    float *out = y.mutable_data_ptr<float>(), *scales = scale.mutable_data_ptr<float>();
    for_row_blocks(num_rows, [=](int64_t begin, int64_t end, int64_t) {
      for (int64_t t = begin; t < end; ++t) {
        const float* row = in + t * width;
        float squares = 0;
#pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < width; ++i) squares += row[i] * row[i];
        const float s = 1 / std::sqrt(squares / static_cast<float>(width) + static_cast<float>(eps));
        scales[t] = s;
        for (int64_t i = 0; i < width; ++i) out[t * width + i] = row[i] * s * w[i];
      }
    });
    context->save_for_backward({x, weight, scale});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &scale = saved[2];
    const auto gy = gradients[0].contiguous();
    const int64_t num_rows = x.size(0), width = x.size(1);
    const bool wants_weight = context->needs_input_grad(1);
    const int64_t num_tasks = (num_rows + kRowsPerTask - 1) / kRowsPerTask;
    auto gx = at::empty_like(x);
    auto partial = wants_weight ? at::zeros({num_tasks, width}, x.options()) : at::Tensor();
    const float *in = x.const_data_ptr<float>(), *w = weight.const_data_ptr<float>();
    const float *scales = scale.const_data_ptr<float>(), *g = gy.const_data_ptr<float>();
    float *out = gx.mutable_data_ptr<float>(), *sums = wants_weight ? partial.mutable_data_ptr<float>() : nullptr;
    for_row_blocks(num_rows, [=](int64_t begin, int64_t end, int64_t task) {
      for (int64_t t = begin; t < end; ++t) {
        const float *row = in + t * width, *g_row = g + t * width;
        const float s = scales[t];
        float dot = 0;
#pragma omp simd reduction(+ : dot)
        for (int64_t i = 0; i < width; ++i) dot += g_row[i] * w[i] * row[i];
        const float pull = dot * s * s * s / static_cast<float>(width);
        for (int64_t i = 0; i < width; ++i) out[t * width + i] = g_row[i] * w[i] * s - row[i] * pull;
        if (sums == nullptr) continue;
        for (int64_t i = 0; i < width; ++i) sums[task * width + i] += g_row[i] * row[i] * s;
      }
    });
    return {gx, wants_weight ? partial.sum(0) : at::Tensor(), at::Tensor()};
  }
};

class SwiGlu : public torch::autograd::Function<SwiGlu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    const auto sigmoid = at::sigmoid(gate).contiguous();
    auto y = at::empty_like(sigmoid);
    const Rows g(gate), u(up);
    const float* s = sigmoid.const_data_ptr<float>();
    float* out = y.mutable_data_ptr<float>();
    const int64_t width = gate.size(1);
    for_row_blocks(gate.size(0), [=](int64_t begin, int64_t end, int64_t) {
      for (int64_t t = begin; t < end; ++t) {
        const float *g_row = g[t], *u_row = u[t];
        for (int64_t i = 0; i < width; ++i) out[t * width + i] = g_row[i] * s[t * width + i] * u_row[i];
      }
    });
    context->save_for_backward({gate, up, sigmoid});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &gate = saved[0], &up = saved[1], &sigmoid = saved[2];
    const auto gy = gradients[0].contiguous();
    auto g_gate = at::empty_like(sigmoid), g_up = at::empty_like(sigmoid);
    const int64_t width = gate.size(1);
    const Rows g(gate), u(up);
    const float *s = sigmoid.const_data_ptr<float>(), *gradient = gy.const_data_ptr<float>();
    float *out_gate = g_gate.mutable_data_ptr<float>(), *out_up = g_up.mutable_data_ptr<float>();
    for_row_blocks(gate.size(0), [=](int64_t begin, int64_t end, int64_t) {
      for (int64_t t = begin; t < end; ++t) {
        const float *g_row = g[t], *u_row = u[t];
        for (int64_t j = 0; j < width; ++j) {
          const int64_t i = t * width + j;
          out_up[i] = gradient[i] * g_row[j] * s[i];
          out_gate[i] = gradient[i] * u_row[j] * s[i] * (1 + g_row[j] * (1 - s[i]));
        }
      }
    });
    return {g_gate, g_up};
  }
};

/// One rotation by the given angles; by their negatives it is the gradient.
at::Tensor rotate_rows(const at::Tensor& input, const at::Tensor& cos, const at::Tensor& sin, float direction) {
  const auto x = input.size(0) > 0 && has_dense_rows(input) ? input : input.contiguous();
  auto y = at::empty(x.sizes(), x.options());
  const int64_t num_heads = x.size(1), half = x.size(2) / 2;
  const Rows in(x);
  const float *c = cos.const_data_ptr<float>(), *s = sin.const_data_ptr<float>();
  float* out = y.mutable_data_ptr<float>();
  for_row_blocks(x.size(0), [=](int64_t begin, int64_t end, int64_t) {
    for (int64_t t = begin; t < end; ++t) {
      const float *cos_row = c + t * half, *sin_row = s + t * half;
      for (int64_t head = 0; head < num_heads; ++head) {
        const float* from = in[t] + head * 2 * half;
        float* to = out + (t * num_heads + head) * 2 * half;
        for (int64_t j = 0; j < half; ++j) {
          const float turn = direction * sin_row[j];
          to[j] = from[j] * cos_row[j] - from[half + j] * turn;
          to[half + j] = from[half + j] * cos_row[j] + from[j] * turn;
        }
      }
    }
  });
  return y;
}

class Rotate : public torch::autograd::Function<Rotate> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotate_rows(x, cos, sin, 1);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {rotate_rows(gradients[0], saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm_plain(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const auto wide = x.to(at::promote_types(x.scalar_type(), at::kFloat));
  const auto scale = at::rsqrt(wide.square().mean(-1, true) + eps);
  return (wide * scale).to(x.scalar_type()) * weight;
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!is_plain_float(x) || !weight.is_contiguous() || x.dim() != 2) return rms_norm_plain(x, weight, eps);
  return RmsNorm::apply(x, weight, eps);
}

at::Tensor swiglu_plain(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate) * up; }

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  const bool fits = is_plain_float(gate) && gate.dim() == 2 && gate.size(0) > 0 && has_dense_rows(gate) && has_dense_rows(up);
  return fits ? SwiGlu::apply(gate, up) : swiglu_plain(gate, up);
}

at::Tensor rotate_plain(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  const auto rotated = at::cat({-halves[1], halves[0]}, -1);
  return x * at::cat({cos, cos}, -1).unsqueeze(1) + rotated * at::cat({sin, sin}, -1).unsqueeze(1);
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  return is_plain_float(x) ? Rotate::apply(x, cos.contiguous(), sin.contiguous()) : rotate_plain(x, cos, sin);
}

}  // namespace vlsi
