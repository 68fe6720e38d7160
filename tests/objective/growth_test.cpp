// How the work and the memory of the objective grow: counted, not timed.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "objective/verbal_kl.h"
#include "tests/objective/counted_products.h"
#include "tests/objective/near.h"
#include "tests/support/peak_bytes.h"

namespace vlsi {
namespace {

class Growth : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_avx512_bf16()) GTEST_SKIP() << "this processor has no AVX512-BF16";
  }
};

TEST_F(Growth, APassMultipliesEachPositionTwiceWithEachRow) {
  EXPECT_EQ(work_of_pass(96, 3000, 32), 96 * 3000 * (32 + 32));
}

// 0.05 is for positions that fill no whole vector, and for a last block that is not full.
TEST_F(Growth, WorkIsProportionalToTheVocabulary) { EXPECT_NEAR(growth_of_work(GrowingSize::kVocabulary), 1, 0.05); }
TEST_F(Growth, WorkIsProportionalToThePositions) { EXPECT_NEAR(growth_of_work(GrowingSize::kPositions), 1, 0.05); }
TEST_F(Growth, WorkIsProportionalToTheLayersOfBothModels) {
  EXPECT_NEAR(growth_of_work(GrowingSize::kLayers), 1, 0.05);
}

/// Peak of a loss over all pairs and its gradient; three student and four teacher layers, 20 positions.
int64_t peak_of_loss(int64_t vocab_size, at::ScalarType dtype, bool plain) {
  const auto u = random_tensor({3, 20, 32}, 1, dtype).requires_grad_(true),
             teacher = random_tensor({4, 20, 48}, 2, dtype);
  const auto head = random_tensor({vocab_size, 32}, 3, dtype), teacher_head = random_tensor({vocab_size, 48}, 4, dtype);
  return peak_bytes([&] {
    const auto kl = plain ? all_pairs_kl_plain(u, head, teacher, teacher_head)
                          : all_pairs_kl(u, head, summarize_teacher(teacher, teacher_head, head));
    kl.sum().backward();
  });
}

TEST(GrowthOfMemory, IsNoneWithTheVocabulary) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const int64_t small = peak_of_loss(4096, dtype, /*plain=*/false);
    EXPECT_EQ(peak_of_loss(32768, dtype, /*plain=*/false), small) << dtype;
    EXPECT_GT(small, 3 * 20 * 32 * 4) << dtype;  // it counts at all
  }
}

TEST(GrowthOfMemory, IsProportionalToTheVocabularyWithAllLogits) {
  EXPECT_GT(peak_of_loss(32768, at::kFloat, /*plain=*/true), 7 * peak_of_loss(4096, at::kFloat, /*plain=*/true));
}

}  // namespace
}  // namespace vlsi
