// A model with its decoder in fewer bits: what it then says, and what it cannot be used for.
#include "model/quantize.h"

#include "checkpoint/fingerprint.h"
#include "checkpoint/save.h"
#include "model/parts.h"
#include "tests/model/fixtures.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

/// Log-probabilities over the vocabulary at the answer positions of a fixture's cases.
at::Tensor logprobs_of(const Vlm& model, const std::string& variant) {
  at::NoGradGuard no_grad;
  std::vector<Sample> samples;
  for (const auto& stored : fixtures::cases(variant)) samples.push_back(fixtures::sample_of(stored));
  const auto rows = model.forward(pack(samples), {}).final_rows;
  return at::linear(rows, model.head()).log_softmax(-1);
}

/// The mean KL of the model in `kind` against itself, in nats.
double loss_of(const std::string& variant, Quantization kind) {
  const auto model = load_vlm(fixtures::directory(variant), at::kFloat);
  const auto before = logprobs_of(*model, variant);
  quantize(*model, kind);
  const auto after = logprobs_of(*model, variant);
  return (before.exp() * (before - after)).sum(-1).mean().item<double>();
}

TEST(Quantize, ChangesWhatATinyModelOfEveryFamilySaysALittle) {
  for (const auto& variant : fixtures::variants()) {
    SCOPED_TRACE(variant);
    // A weight is off by 0.5 to 1 % in 8 bits, by 8 to 10 % in 4, and a KL grows with the square. These random models
    // are sure of what they say (logits up to 10): 1e-3 and 0.25 nats are the most that one of them loses.
    const double of_int8 = loss_of(variant, Quantization::kInt8), of_int4 = loss_of(variant, Quantization::kInt4);
    EXPECT_GT(of_int8, 0);
    EXPECT_LT(of_int8, 3e-3);
    EXPECT_LT(of_int4, 0.5);
    EXPECT_GT(of_int4, of_int8);
    EXPECT_EQ(loss_of(variant, Quantization::kNone), 0);
  }
}

TEST(Quantize, StreamsFromFilesWhatAResidentModelSaysBitForBit) {
  for (const auto& variant : fixtures::variants()) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(concat(variant, ' ', dtype));
      const Folder folder;
      const auto resident = load_vlm(fixtures::directory(variant), dtype);
      const auto streamed = load_vlm(fixtures::directory(variant), dtype, at::kCPU, Residency::kStreamed);
      quantize(*resident, Quantization::kInt4);
      quantize(*streamed, Quantization::kInt4, folder.path());
      EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
      const auto expected = logprobs_of(*resident, variant);
      for (int pass = 0; pass < 2; ++pass) EXPECT_TRUE(at::equal(logprobs_of(*streamed, variant), expected)) << pass;
    }
  }
}

TEST(Quantize, SaysWhereItCannotWriteAStreamedModel) {
  const Folder folder;
  folder.write("file", "");
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat, at::kCPU, Residency::kStreamed);
  expect_error([&] { quantize(*model, Quantization::kInt8, folder / "file"); }, {(folder / "file").string()});
}

TEST(Quantize, LeavesAdaptersAndWhatIsNotOfTheDecoder) {
  const auto model = load_vlm(fixtures::directory("untied"), at::kFloat);
  model->add_lora(2, 2, {"q_proj"}, /*seed=*/1, "test");
  quantize(*model, Quantization::kInt4);
  for (const auto& [name, parameter] : model->named_parameters()) {
    const bool is_map = part_of(name) == "decoder" && parameter.dim() == 2;
    EXPECT_EQ(has_values(parameter), !is_map) << name;
  }
}

TEST(Quantize, LeavesNoModelThatIsWrittenOrKnownByItsWeights) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  quantize(*model, Quantization::kInt8);
  const Folder folder;
  EXPECT_THROW(save_vlm(folder / "model", *model, at::kFloat, fixtures::directory("tied")), c10::Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "model"));
  EXPECT_THROW(fingerprint(model->named_parameters()), c10::Error);
}

}  // namespace
}  // namespace vlsi
