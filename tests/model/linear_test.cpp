// Low-rank adapters: they start as nothing, add what the formula says, and merge into the weight.
#include "model/linear.h"

#include <ATen/CPUGeneratorImpl.h>

#include "model/cpu/row_products.h"
#include "model/parts.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::by_name;
using fixtures::difference;
using fixtures::random;

at::Tensor final_rows(const Vlm& model) {
  at::NoGradGuard no_grad;
  std::vector<Sample> samples;
  for (const auto& stored : fixtures::cases("tied")) samples.push_back(fixtures::sample_of(stored));
  return model.forward(pack(samples), {}).final_rows;
}

void fill_adapters(const Vlm& model) {
  uint64_t seed = 1;
  for (auto& [name, value] : model.named_parameters()) {
    if (part_of(name) == "lora") value.copy_(random(value.sizes(), ++seed) * 0.1);
  }
}

class LinearMap : public testing::Test {
 protected:
  LinearMap() : linear_(6, 5, /*with_bias=*/true) {
    allocate(linear_);
    uint64_t seed = 10;
    for (auto& [name, value] : linear_.named_parameters()) value.copy_(random(value.sizes(), ++seed));
  }
  at::Tensor parameter(const std::string& name) const { return by_name(linear_.named_parameters()).at(name); }
  void add_adapter() {
    linear_.add_lora(3, 6, at::detail::createCPUGenerator(1));
    parameter("lora_B").copy_(random({5, 3}, 20));
  }
  at::Tensor adapted(const at::Tensor& x) const {
    const auto wide = [&](const char* name) { return parameter(name).to(at::kDouble); };
    const auto weight = wide("weight") + 2.0 * at::mm(wide("lora_B"), wide("lora_A"));  // scale 6 / 3
    return at::linear(x.to(at::kDouble), weight, wide("bias"));
  }

  Linear linear_;
};

TEST_F(LinearMap, AddsTheScaledLowRankProduct) {
  add_adapter();
  const auto x = random({2, 4, 6}, 3);
  EXPECT_LE(difference(linear_.forward(x), adapted(x)), 1e-5);
}

TEST_F(LinearMap, StartsItsAdapterUniformAndSilent) {
  const auto x = random({4, 6}, 3);
  const auto before = linear_.forward(x);
  linear_.add_lora(64, 64, at::detail::createCPUGenerator(1));
  EXPECT_TRUE(at::equal(linear_.forward(x), before));
  const double bound = 1 / std::sqrt(6.0), largest = parameter("lora_A").abs().max().item<double>();
  EXPECT_LE(largest, bound);
  EXPECT_GT(largest, 0.95 * bound);  // of 384 uniform values
  EXPECT_TRUE(at::equal(parameter("lora_B"), at::zeros({5, 64})));
}

TEST_F(LinearMap, MergesItsAdapterIntoAWeightThatDoesTheSame) {
  EXPECT_TRUE(at::equal(linear_.merged_weight(at::kFloat), linear_.weight()));  // there is nothing to merge
  add_adapter();
  const auto x = random({4, 6}, 3);
  EXPECT_LE(difference(at::linear(x, linear_.merged_weight(at::kFloat), linear_.bias()), adapted(x)), 1e-5);
}

TEST_F(LinearMap, GivesFewRowsTheSameWithAnAdapterAndWithout) {
  at::NoGradGuard no_grad;
  const auto x = random({3, 6}, 3);
  EXPECT_LE(difference(linear_.forward_rows(x), linear_.forward(x)), 1e-6);
  add_adapter();
  const auto y = linear_.forward_rows(x);
  EXPECT_LE(difference(y, adapted(x)), 1e-5);
  EXPECT_TRUE(at::equal(linear_.forward_rows(x.narrow(0, 1, 1)), y.narrow(0, 1, 1)));
  const auto both = forward_rows_together(x, {&linear_, &linear_});
  EXPECT_TRUE(at::equal(both[0], y) && at::equal(both[1], y));
}

TEST_F(LinearMap, GivesFewRowsThatLearnTheirGradients) {
  const auto x = random({3, 6}, 3).set_requires_grad(true);
  EXPECT_TRUE(at::equal(linear_.forward_rows(x), linear_.forward(x)));
  EXPECT_TRUE(linear_.forward_rows(x).requires_grad());
}

TEST_F(LinearMap, WorksWithAQuantisedWeightForFewRowsAndMany) {
  at::NoGradGuard no_grad;
  add_adapter();
  const auto few = random({3, 6}, 3), many = random({kMaxProductRows + 1, 6}, 4);
  const auto of_few = linear_.forward(few), of_many = linear_.forward(many);
  linear_.quantize(Quantization::kInt8);
  // The weight is off by 1 / 254 of its largest number, and so are the few rows: six products of numbers up to 2.5.
  EXPECT_LE(difference(linear_.forward_rows(few), of_few), 0.1);
  EXPECT_LE(difference(linear_.forward_rows(many), of_many), 0.1);
  EXPECT_GT(difference(linear_.forward(many), of_many), 1e-4);
  EXPECT_EQ(forward_together(many, {&linear_, &linear_})[1].sizes(), of_many.sizes());
  EXPECT_FALSE(has_values(linear_.weight()));
  EXPECT_THROW(linear_.merged_weight(at::kFloat), c10::Error);
}

TEST_F(LinearMap, KeepsAFloat32AdapterBesideABfloat16Weight) {
  for (auto& [name, value] : linear_.named_parameters()) value.set_data(value.to(at::kBFloat16));
  add_adapter();
  EXPECT_EQ(parameter("lora_A").scalar_type(), at::kFloat);
  const auto x = random({4, 6}, 3).to(at::kBFloat16);
  const auto y = linear_.forward(x);
  ASSERT_EQ(y.scalar_type(), at::kBFloat16);
  // Roundings to 8 bits of values up to about ten: of both factors, of their product, of the map's own and of the sum.
  EXPECT_LE(difference(y, adapted(x)), 0.1);
  const auto weight = (parameter("weight").to(at::kFloat) + at::mm(parameter("lora_B"), parameter("lora_A")) * 2.0);
  EXPECT_TRUE(at::equal(linear_.merged_weight(at::kBFloat16), weight.to(at::kBFloat16)));
}

/// Value and gradients, to the input and to every parameter, of the sum of y * direction.
std::map<std::string, at::Tensor> gradients_of(const Linear& linear, const at::Tensor& x, const at::Tensor& direction,
                                               bool with_values) {
  const auto input = x.detach().clone().requires_grad_();
  const auto y = with_values ? linear.forward(input) : linear.forward_without_values(input);
  (y * direction).sum().backward();
  std::map<std::string, at::Tensor> found{{"y", y.detach()}, {"x", input.grad()}};
  for (auto& [name, value] : linear.named_parameters()) {
    found[name] = value.grad();
    value.mutable_grad() = at::Tensor();
  }
  return found;
}

TEST_F(LinearMap, HasTheGradientsOfItsFormula) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const bool adapter : {false, true}) {
      SCOPED_TRACE(concat(dtype, adapter ? " with an adapter" : ""));
      Linear linear(6, 5, /*with_bias=*/true);
      if (adapter) linear.add_lora(3, 6, at::detail::createCPUGenerator(1));
      uint64_t seed = 10;
      std::map<std::string, at::Tensor> leaves;
      for (auto& [name, value] : linear.named_parameters()) {
        value.set_data(random(value.sizes(), ++seed).to(name.starts_with("lora") ? at::kFloat : dtype));
        value.set_requires_grad(true);
        leaves[name] = value.detach().to(at::kDouble).requires_grad_();
      }
      const auto x = random({2, 4, 6}, 3).to(dtype), direction = random({2, 4, 5}, 4).to(dtype);
      leaves["x"] = x.to(at::kDouble).requires_grad_();
      auto weight = leaves["weight"];
      if (adapter) weight = weight + 2.0 * at::mm(leaves["lora_B"], leaves["lora_A"]);
      (at::linear(leaves["x"], weight, leaves["bias"]) * direction).sum().backward();
      const auto found = gradients_of(linear, x, direction, /*with_values=*/true);
      // Sums of up to eight products. In bfloat16 a few roundings to 8 bits, of the adapter and of what passes between
      // the products.
      const double tolerance = dtype == at::kFloat ? 1e-5 : 0.02;
      for (const auto& [name, leaf] : leaves) {
        EXPECT_LE(difference(found.at(name), leaf.grad()), tolerance * leaf.grad().abs().max().item<double>()) << name;
      }
    }
  }
}

TEST_F(LinearMap, HasTheSameGradientsWithoutItsValues) {
  add_adapter();
  for (auto& [name, value] : linear_.named_parameters()) value.set_requires_grad(true);
  const auto x = random({4, 6}, 3), direction = random({4, 5}, 4);
  const auto with = gradients_of(linear_, x, direction, true), without = gradients_of(linear_, x, direction, false);
  EXPECT_TRUE(at::equal(without.at("y"), at::zeros({4, 5})));
  for (const auto& [name, gradient] : with) {
    if (name == "y") continue;
    EXPECT_TRUE(at::equal(without.at(name), gradient)) << name;
  }
}

TEST_F(LinearMap, GivesGradientsToWhatLearnsAlone) {
  add_adapter();
  for (auto& [name, value] : linear_.named_parameters()) value.set_requires_grad(name == "bias" || name == "lora_B");
  const auto x = random({4, 6}, 3);
  linear_.forward(x).square().sum().backward();
  for (const auto& [name, value] : linear_.named_parameters()) {
    EXPECT_EQ(value.grad().defined(), name == "bias" || name == "lora_B") << name;
  }
  const auto g = 2 * adapted(x);
  EXPECT_LE(difference(parameter("bias").grad(), g.sum(0)), 1e-4) << "a sum of four values up to a hundred";
  const auto low_rank = at::mm(x.to(at::kDouble), parameter("lora_A").detach().to(at::kDouble).t());
  EXPECT_LE(difference(parameter("lora_B").grad(), 2 * at::mm(g.t(), low_rank)), 1e-4);
}

TEST(Lora, ChangesNothingAtFirstAndIsAFunctionOfItsSeed) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto before = final_rows(*model);
  model->add_lora(4, 8, {"q_proj", "v_proj", "gate_proj"}, 7, "test");
  // Maps with an adapter are multiplied one by one, plain ones of the same input in one product: the sums may be
  // blocked differently.
  EXPECT_LE(difference(final_rows(*model), before), 1e-5);
  const auto again = load_vlm(fixtures::directory("tied"), at::kFloat);
  again->add_lora(4, 8, {"q_proj", "v_proj", "gate_proj"}, 7, "test");
  const auto expected = by_name(again->named_parameters());
  int num_adapters = 0;
  for (const auto& [name, value] : model->named_parameters()) {
    EXPECT_TRUE(at::equal(value, expected.at(name))) << name;
    num_adapters += name.ends_with(".lora_A") ? 1 : 0;
  }
  EXPECT_EQ(num_adapters, 3 * 3);
}

TEST(Lora, LearnsAlone) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  model->add_lora(4, 8, {"o_proj"}, 7, "test");
  fill_adapters(*model);
  const auto trained = make_trainable(*model, {"lora"}, "test");
  EXPECT_EQ(trained.size(), 2U * 3U);
  fixtures::summed_loss(*model, pack({fixtures::sample_of(fixtures::Case("tied", "text"))})).backward();
  for (const auto& [name, value] : trained) {
    ASSERT_TRUE(value.grad().defined()) << name;
    EXPECT_GT(value.grad().abs().max().item<double>(), 0) << name;
  }
}

TEST(Lora, RefusesATargetThatNoMapIsCalled) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto message = message_of([&] { model->add_lora(4, 8, {"q_proj", "qkv"}, 7, "lora.targets"); });
  EXPECT_NE(message.find("lora.targets"), std::string::npos) << message;
  EXPECT_NE(message.find("'qkv'"), std::string::npos) << message;
}

}  // namespace
}  // namespace vlsi
