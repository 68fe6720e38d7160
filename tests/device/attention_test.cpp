// Attention over a packed batch in one call of the device's kernel.
#include "model/attention.h"

#include "tests/device/stand_in.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace attention_on_device {

using fixtures::difference;
using fixtures::random;

/// The attention of bfloat16 heads [30, 4 over 2, 16] on `device`, and its gradients.
std::vector<at::Tensor> attend(at::Device device, bool causal) {
  std::vector<at::Tensor> inputs;
  for (const int64_t heads : {4, 2, 2}) {
    inputs.push_back(random({30, heads, 16}, 1 + std::ssize(inputs)).to(at::kBFloat16).to(device));
    inputs.back().set_requires_grad(true);
  }
  const auto out = packed_attention(inputs[0], inputs[1], inputs[2], find_runs({0, 1, 4, 7, 10, 27, 30}), causal);
  (out * random({30, 4, 16}, 4).to(at::kBFloat16).to(device)).sum().backward();
  std::vector<at::Tensor> found{out.detach().cpu()};
  for (const auto& input : inputs) found.push_back(input.grad().cpu());
  return found;
}

TEST(AttentionOnADevice, IsOneCallForSequencesOfAnyLengthsWithTheirGradients) {
  for (const bool causal : {true, false}) {
    const auto found = attend(stand_in::device(), causal), wanted = attend(at::kCPU, causal);
    // Values and gradients of a few units, each rounded to bfloat16 once here, and after each of two or three
    // operations there.
    for (size_t i = 0; i < found.size(); ++i) EXPECT_LE(difference(found[i], wanted[i]), 0.05) << i;
  }
}

TEST(AttentionOnADevice, AsksForNoMoreOperationsForMoreSequences) {
  const auto operations_for = [](const std::vector<int64_t>& starts) {
    const auto x = random({30, 2, 16}, 1).to(at::kBFloat16).to(stand_in::device());
    const auto before = stand_in::counts();
    packed_attention(x, x, x, find_runs(starts), /*causal=*/true);
    EXPECT_EQ(stand_in::counts().waits, before.waits);
    return stand_in::counts().operations - before.operations;
  };
  EXPECT_EQ(operations_for({0, 1, 4, 7, 10, 27, 30}), operations_for({0, 30}));
}

}  // namespace attention_on_device
}  // namespace vlsi
