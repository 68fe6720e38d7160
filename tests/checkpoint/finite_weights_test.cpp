// Weights that are no numbers are found wherever they are, and named.
#include "checkpoint/finite_weights.h"

#include <ATen/ATen.h>

#include <limits>

#include "base/dtype.h"
#include "checkpoint/adapter.h"
#include "checkpoint/save.h"
#include "tests/checkpoint/model_directory.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
constexpr const char* kDown = "model.layers.1.mlp.down_proj.weight";

std::shared_ptr<Vlm> changed_model(float value) {
  auto model = load_vlm(fixtures::directory("untied"), at::kFloat);
  auto weight = fixtures::by_name(model->named_parameters()).at("decoder.layers.1.mlp.down_proj.weight");
  weight.set_data(weight.clone());
  weight[3][5] = value;
  return model;
}

TEST(FiniteWeight, IsFoundInEveryTypeAndPlace) {
  constexpr int64_t kRows = 300, kColumns = 1111;  // more than a piece of a thread, in no whole number of vectors
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    auto weight = at::full({kRows, kColumns}, 1.5, type);
    weight[7][7] = type == at::kHalf ? 65504.0 : 3e38;  // the largest number, or near it
    weight[8][8] = 0;
    EXPECT_NO_THROW(check_finite_weight(weight, "w", "reading")) << type;
    for (const auto& [row, column] : {std::pair(0, 0), std::pair(150, 3), std::pair(299, 1110)}) {
      for (const auto& [value, text] :
           {std::pair(kNan, "nan"), std::pair(kInfinity, "inf"), std::pair(-kInfinity, "-inf")}) {
        auto wrong = weight.clone();
        wrong[row][column] = value;
        EXPECT_EQ(message_of([&] { check_finite_weight(wrong, "w", "reading"); }),
                  concat("reading: w is ", text, " at [", row, ", ", column, "] in ", dtype_name(type),
                         ", expected finite numbers"));
      }
    }
  }
  EXPECT_NO_THROW(check_finite_weight(at::empty({0, 4}), "w", "reading"));
  EXPECT_EQ(message_of([] {
              check_finite_weight(at::tensor({1.0F, kNan}).expand({3, 2}), "w", "reading");
            }).substr(0, 14),
            "reading: w is ")
      << "not contiguous";
}

TEST(FiniteWeights, AreNamedAsInFiles) {
  EXPECT_NO_THROW(check_finite_weights(*changed_model(1), "loading m"));
  expect_error([] { check_finite_weights(*changed_model(kNan), "loading m"); },
               {concat("loading m: ", kDown, " is nan at [3, 5] in float32")});
}

TEST(FiniteWeights, AreAllThatIsWritten) {
  const Folder folder;
  const auto out = folder / "out";
  const auto large = changed_model(70000);  // above float16's largest number, 65504
  expect_error([&] { save_vlm(out, *large, at::kHalf, {}); },
               {"writing the model to " + out.string(), concat(kDown, " is inf at [3, 5] in float16")});
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_NO_THROW(save_vlm(out, *large, at::kBFloat16, {}));
  expect_error([&] { save_vlm(folder / "nan", *changed_model(kNan), at::kFloat, {}); }, {kDown, "is nan"});
  const auto adapted = changed_model(1);
  adapted->add_lora(2, 2, {"q_proj"}, 1, "test");
  fixtures::by_name(adapted->named_parameters()).at("decoder.layers.0.self_attn.q_proj.lora_B").fill_(kInfinity);
  expect_error([&] { save_adapter(folder / "adapter", *adapted, "base"); },
               {"writing an adapter to", "layers.0.self_attn.q_proj.lora_B.weight is inf at [0, 0]"});
}

}  // namespace
}  // namespace vlsi
