// The one-pass operations against their plain definitions, and the definitions' gradients against finite differences.
#include "model/fused.h"

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;
using fixtures::random;

using Operation = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// Value and gradients under sum(operation * direction).
std::vector<at::Tensor> value_and_gradients(const Operation& operation, const std::vector<at::Tensor>& inputs,
                                            const at::Tensor& direction) {
  std::vector<at::Tensor> leaves, results;
  for (const auto& input : inputs) leaves.push_back(input.detach().clone().requires_grad_());
  const auto value = operation(leaves);
  (value * direction).sum().backward();
  results.push_back(value.detach());
  for (const auto& leaf : leaves) results.push_back(leaf.grad());
  return results;
}

/// Both on the same float32 inputs. They add the same few hundred products in different orders, hence 1e-5 of the
/// largest.
void expect_equal(const Operation& fused, const Operation& plain, const std::vector<at::Tensor>& inputs) {
  const auto direction = random(plain(inputs).sizes(), 99);
  const auto ours = value_and_gradients(fused, inputs, direction),
             expected = value_and_gradients(plain, inputs, direction);
  for (size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(ours[i].sizes(), expected[i].sizes());
    EXPECT_LE(difference(ours[i], expected[i]), 1e-5 * std::max(1.0, expected[i].abs().max().item<double>()))
        << "output " << i;
  }
}

/// On bfloat16 inputs, value and gradients against the plain definition in float64. `roundings`: how often the value is
/// rounded to 8 bits, each time by up to 2^-8 of it; the gradients are once. Sums in float32 add a millionth of the
/// largest, which may cancel.
void expect_rounded_formula(const Operation& fused, const Operation& plain, const std::vector<at::Tensor>& inputs,
                            double roundings = 1) {
  std::vector<at::Tensor> narrow, wide;
  for (const auto& input : inputs) {
    narrow.push_back(input.to(at::kBFloat16));
    wide.push_back(narrow.back().to(at::kDouble));
  }
  const auto direction = random(plain(wide).sizes(), 99).to(at::kBFloat16);
  const auto ours = value_and_gradients(fused, narrow, direction),
             expected = value_and_gradients(plain, wide, direction.to(at::kDouble));
  for (size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(ours[i].scalar_type(), at::kBFloat16);
    const auto bound =
        expected[i].abs() * ((i == 0 ? roundings : 1) * 0x1.01p-8) + 1e-6 * expected[i].abs().max().clamp_min(1);
    const auto excess = (ours[i].to(at::kDouble) - expected[i]).abs() - bound;
    EXPECT_LE(excess.max().item<double>(), 0) << "output " << i;
  }
}

/// The plain path in float64 against central differences of step 1e-6: truncation and rounding are both below 1e-8.
void expect_gradients_of_differences(const Operation& operation, std::vector<at::Tensor> inputs) {
  const auto direction = random(operation(inputs).sizes(), 98, at::kDouble);
  const auto found = value_and_gradients(operation, inputs, direction);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto original = inputs[i];
    auto expected = at::empty_like(original);
    for (int64_t j = 0; j < original.numel(); ++j) {
      const auto moved = [&](double step) {
        inputs[i] = original.clone();
        inputs[i].view({-1})[j] += step;
        return (operation(inputs) * direction).sum().item<double>();
      };
      expected.view({-1})[j] = (moved(1e-6) - moved(-1e-6)) / 2e-6;
    }
    inputs[i] = original;
    EXPECT_LE(difference(found[i + 1], expected), 1e-7) << "input " << i;
  }
}

at::Tensor norm_of(const std::vector<at::Tensor>& x) { return rms_norm(x[0], x[1], 1e-6); }
at::Tensor plain_norm_of(const std::vector<at::Tensor>& x) { return rms_norm_plain(x[0], x[1], 1e-6); }
at::Tensor swiglu_of(const std::vector<at::Tensor>& x) { return swiglu(x[0], x[1]); }
at::Tensor plain_swiglu_of(const std::vector<at::Tensor>& x) { return swiglu_plain(x[0], x[1]); }

struct Shape {
  int64_t rows, width;
};

// One row, a row more than a task takes, several tasks; widths that are no multiple of a vector register.
const std::vector<Shape> kShapes{{1, 48}, {65, 48}, {64, 7}, {200, 33}, {3, 1}};

TEST(RmsNorm, EqualsItsPlainDefinitionWithGradients) {
  for (const auto& [rows, width] : kShapes) {
    SCOPED_TRACE(concat(rows, " x ", width));
    expect_equal(norm_of, plain_norm_of, {random({rows, width}, 1), random({width}, 2)});
  }
}

TEST(RmsNorm, GivesTheRowsGradientWhenTheWeightIsFrozen) {
  const auto weight = random({48}, 2);
  const auto with = [&](auto norm) {
    return [=](const std::vector<at::Tensor>& x) { return norm(x[0], weight, 1e-6); };
  };
  expect_equal(with(rms_norm), with(rms_norm_plain), {random({65, 48}, 1)});
}

TEST(RmsNorm, IsTheFormulaInFloat64) {
  const auto x = random({5, 12}, 3, at::kDouble), weight = random({12}, 4, at::kDouble);
  const auto expected = x / (x.square().sum(-1, true) / 12 + 1e-6).sqrt() * weight;
  EXPECT_LE(difference(rms_norm(x, weight, 1e-6), expected), 1e-14);
  expect_gradients_of_differences(norm_of, {x, weight});
}

TEST(RmsNorm, IsTheFormulaInBfloat16ButForItsRoundings) {
  for (const auto& [rows, width] : kShapes) {
    SCOPED_TRACE(concat(rows, " x ", width));
    expect_rounded_formula(norm_of, plain_norm_of, {random({rows, width}, 1), random({width}, 2)}, /*roundings=*/2);
  }
}

TEST(RmsNorm, RoundsToTheRowsTypeBeforeTheWeight) {
  const auto x = random({9, 48}, 5).to(at::kBFloat16), weight = random({48}, 6).to(at::kBFloat16);
  const auto wide = x.to(at::kFloat);
  const auto normed = wide * at::rsqrt(wide.square().mean(-1, true) + 1e-6);
  EXPECT_TRUE(at::equal(rms_norm(x, weight, 1e-6), normed.to(at::kBFloat16) * weight));
}

TEST(RmsNorm, TakesAWeightOfAnotherType) {
  const auto x = random({9, 48}, 5).to(at::kBFloat16), weight = random({48}, 6);
  EXPECT_TRUE(at::equal(rms_norm(x, weight, 1e-6), rms_norm_plain(x, weight, 1e-6)));
}

TEST(RmsNorm, TakesRowsThatAreNotContiguous) {
  const auto x = random({48, 65}, 7).t();
  const auto weight = random({48}, 8);
  EXPECT_LE(difference(rms_norm(x, weight, 1e-6), rms_norm_plain(x, weight, 1e-6)), 1e-5);
}

TEST(SwiGlu, EqualsItsPlainDefinitionWithGradients) {
  for (const auto& [rows, width] : kShapes) {
    SCOPED_TRACE(concat(rows, " x ", width));
    expect_equal(swiglu_of, plain_swiglu_of, {random({rows, width}, 1) * 3, random({rows, width}, 2)});
  }
}

TEST(SwiGlu, IsTheFormulaInFloat64) {
  const auto gate = random({4, 9}, 3, at::kDouble), up = random({4, 9}, 4, at::kDouble);
  EXPECT_LE(difference(swiglu(gate, up), gate / (1 + (-gate).exp()) * up), 1e-14);
  expect_gradients_of_differences(swiglu_of, {gate, up});
}

TEST(SwiGlu, IsTheFormulaInBfloat16ButForItsRounding) {
  for (const auto& [rows, width] : kShapes) {
    SCOPED_TRACE(concat(rows, " x ", width));
    expect_rounded_formula(swiglu_of, plain_swiglu_of, {random({rows, width}, 1) * 3, random({rows, width}, 2)});
  }
}

TEST(SwiGlu, TakesSlicesOfJoinedColumns) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto joined = random({70, 2 * 33}, 1).to(dtype);
    const auto gate = joined.narrow(1, 0, 33), up = joined.narrow(1, 33, 33);
    EXPECT_TRUE(at::equal(swiglu(gate, up), swiglu(gate.contiguous(), up.contiguous())));
  }
}

TEST(SwiGlu, KnowsTheSigmoidOfEveryBfloat16) {
  const auto all = at::arange(0, 1 << 16, at::kInt).to(at::kShort).view(at::kBFloat16);
  const auto gate = all.index_select(0, all.isfinite().nonzero().view({-1})).view({1, -1});
  const auto wide = gate.to(at::kDouble), expected = wide * at::sigmoid(wide);
  const auto found = swiglu(gate, at::ones_like(gate)).to(at::kDouble);
  // Where the sigmoid is taken for 0, or is too small for all bits of a float32, the value is smaller than 1e-36.
  EXPECT_LE(((found - expected).abs() - expected.abs() * 0x1.01p-8).max().item<double>(), 1e-36);
}

TEST(SwiGlu, CarriesWhatIsNotANumber) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    auto gate = at::ones({1, 20}, dtype), up = at::ones({1, 20}, dtype);
    gate[0][3] = up[0][7] = std::numeric_limits<double>::quiet_NaN();
    const auto is_nan = swiglu(gate, up).isnan();
    EXPECT_TRUE(is_nan[0][3].item<bool>() && is_nan[0][7].item<bool>());
    EXPECT_EQ(is_nan.sum().item<int64_t>(), 2);
  }
}

TEST(SwiGlu, StaysFiniteFarFromZero) {
  const auto gate = at::tensor({-200.0F, -90.0F, 90.0F, 200.0F}).view({1, 4}), up = at::ones({1, 4});
  for (const auto& result : value_and_gradients(swiglu_of, {gate, up}, up))
    EXPECT_TRUE(result.isfinite().all().item<bool>());
}

struct Gelu {
  const char* name;
  Operation fused, plain;
  at::Tensor (*formula)(const at::Tensor& x);
};

const std::vector<Gelu> kGelus{
    {"quick", [](const auto& x) { return quick_gelu(x[0]); }, [](const auto& x) { return quick_gelu_plain(x[0]); },
     [](const at::Tensor& x) { return x / (1 + (-1.702 * x).exp()); }},
    {"tanh", [](const auto& x) { return gelu_tanh(x[0]); }, [](const auto& x) { return gelu_tanh_plain(x[0]); },
     [](const at::Tensor& x) { return 0.5 * x * (1 + (std::sqrt(2 / M_PI) * (x + 0.044715 * x.pow(3))).tanh()); }}};

TEST(Gelu, EqualsItsPlainDefinitionWithGradients) {
  for (const auto& gelu : kGelus) {
    SCOPED_TRACE(gelu.name);
    for (const auto& [rows, width] : kShapes) {
      expect_equal(gelu.fused, gelu.plain, {random({rows, width}, 1) * 3});
      expect_rounded_formula(gelu.fused, gelu.plain, {random({rows, width}, 1) * 3});
    }
    expect_equal(gelu.fused, gelu.plain, {random({70, 1100}, 1).t()});
    EXPECT_EQ(gelu.fused({at::empty({0, 5})}).sizes(), at::IntArrayRef({0, 5}));
  }
}

TEST(Gelu, IsTheFormulaInFloat64) {
  for (const auto& gelu : kGelus) {
    SCOPED_TRACE(gelu.name);
    const auto x = random({4, 9}, 3, at::kDouble) * 3;
    EXPECT_LE(difference(gelu.fused({x}), gelu.formula(x)), 1e-14);
    expect_gradients_of_differences(gelu.fused, {x});
  }
}

TEST(Gelu, StaysFiniteFarFromZeroAndCarriesWhatIsNotANumber) {
  for (const auto& gelu : kGelus) {
    SCOPED_TRACE(gelu.name);
    const auto far = at::tensor({-1e12F, -200.0F, -90.0F, 90.0F, 200.0F, 1e12F});
    for (const auto& result : value_and_gradients(gelu.fused, {far}, at::ones_like(far)))
      EXPECT_TRUE(result.isfinite().all().item<bool>());
    EXPECT_TRUE(gelu.fused({at::full({3}, std::numeric_limits<float>::quiet_NaN())}).isnan().all().item<bool>());
  }
}

class Rotation : public testing::Test {
 protected:
  static Operation by(const at::Tensor& angles, bool plain = false) {
    return [=](const std::vector<at::Tensor>& x) {
      return plain ? rotate_plain(x[0], angles.cos(), angles.sin()) : rotate(x[0], angles.cos(), angles.sin());
    };
  }
};

TEST_F(Rotation, EqualsItsPlainDefinitionWithGradients) {
  for (const int64_t rows : {1, 65, 130}) {
    for (const int64_t heads : {1, 3}) {
      SCOPED_TRACE(concat(rows, " x ", heads));
      const auto angles = random({rows, 6}, 1) * 10;
      expect_equal(by(angles), by(angles, /*plain=*/true), {random({rows, heads, 12}, 2)});
    }
  }
}

TEST_F(Rotation, IsTheFormulaInBfloat16ButForItsRounding) {
  for (const int64_t rows : {1, 65, 130}) {
    const auto angles = random({rows, 9}, 1) * 10;
    const auto cos = angles.cos().to(at::kBFloat16), sin = angles.sin().to(at::kBFloat16);
    expect_rounded_formula([&](const auto& x) { return rotate(x[0], cos, sin); },
                           [&](const auto& x) { return rotate_plain(x[0], cos.to(at::kDouble), sin.to(at::kDouble)); },
                           {random({rows, 3, 18}, 2)});
  }
}

TEST_F(Rotation, TakesRowsThatAreNotContiguous) {
  const auto angles = random({5, 6}, 1);
  const auto x = random({5, 3, 2, 12}, 2).select(1, 1);
  EXPECT_LE(difference(by(angles)({x}), by(angles, /*plain=*/true)({x})), 1e-6);
}

TEST_F(Rotation, TurnsPairsHalfAHeadApart) {
  const auto x = at::tensor({1.0, 0.0, 0.0, 2.0}, at::kDouble).view({1, 1, 4});  // pairs (0, 2) and (1, 3)
  const auto angles = at::tensor({0.5, 1.25}, at::kDouble).view({1, 2});
  const auto expected =
      at::tensor({std::cos(0.5), -2 * std::sin(1.25), std::sin(0.5), 2 * std::cos(1.25)}, at::kDouble).view({1, 1, 4});
  EXPECT_LE(difference(by(angles)({x}), expected), 1e-15);
  EXPECT_LE(difference(by(angles.to(at::kFloat))({x.to(at::kFloat)}), expected), 1e-6);
  expect_gradients_of_differences(by(random({3, 2}, 3, at::kDouble)), {random({3, 2, 4}, 4, at::kDouble)});
}

}  // namespace
}  // namespace vlsi
