// The check at the start of a run: silent where the summary is right, and naming the layer where it is not.
#include "objective/self_check.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "tests/objective/near.h"

namespace vlsi {
namespace {

const std::vector<std::string> kNames{"student layer 2", "student layer 6", "the student's last layer"};

std::string message(const at::Tensor& u, const at::Tensor& head, const at::Tensor& rows) {
  try {
    check_head_summary(u, head, rows, kNames);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(SelfCheck, IsSilentWhereTheSummaryIsRight) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto head = (random_tensor({3000, 64}, 2, at::kFloat) / 3).to(dtype),
               rows = random_tensor({3000, 48}, 3, dtype);
    for (const int64_t num_positions : {0, 1, 2, 50}) {
      const auto u = random_tensor({3, num_positions, 64}, 1, at::kFloat);
      EXPECT_EQ(message(u, head, rows), "") << dtype << ", " << num_positions << " positions";
    }
  }
}

TEST(SelfCheck, NamesTheLayerWhoseValueIsNoNumberWithoutBlamingTheMachine) {
  const auto head = random_tensor({200, 64}, 2, at::kFloat);
  auto u = random_tensor({3, 20, 64}, 1, at::kFloat);
  u[1][2][5] = std::nan("");  // the second of the eight rows that are looked at
  const auto text = message(u, head, head);
  EXPECT_NE(text.find("student layer 6: the logsumexp is nan in float64"), std::string::npos) << text;
  EXPECT_NE(text.find("weights or inputs of the model are NaN or infinite"), std::string::npos) << text;
  EXPECT_EQ(text.find("machine"), std::string::npos) << text;
  auto rows = head.clone();
  rows[7][3] = INFINITY;
  u[1][2][5] = 0;
  EXPECT_NE(message(u, head, rows).find("student layer 2: the expected row is "), std::string::npos);
}

TEST(SelfCheck, RefusesLogitsThatOverflow) {
  auto head = random_tensor({64, 64}, 2, at::kFloat), u = random_tensor({3, 8, 64}, 1, at::kFloat);
  head[3][0] = 1e30F;
  u.narrow(2, 0, 1).fill_(1e30);
  EXPECT_NE(message(u, head, head).find("student layer 2: the logsumexp deviates by"), std::string::npos);
}

}  // namespace
}  // namespace vlsi
