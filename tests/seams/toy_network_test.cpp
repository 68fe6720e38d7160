// A verbalizer network from outside the program's sources.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "checkpoint/load.h"
#include "teacher/verbalizers.h"
#include "tests/seams/toy_run.h"

namespace vlsi {
namespace {

/// A scale for each channel.
class ScaleBlock : public VerbalizerBlock {
 public:
  explicit ScaleBlock(int64_t width) { scale_ = register_parameter("scale", at::empty({width})); }
  at::Tensor forward(const at::Tensor& x, const DecoderContext&, const at::Tensor&) const override {
    return x * scale_;
  }

 private:
  at::Tensor scale_;
};

VerbalizerBlocks scale(const TextConfig& backbone, int64_t) {
  return {std::make_shared<ScaleBlock>(backbone.hidden_size)};
}

TEST(ToyNetwork, IsTrainedSavedAndLoadedByItsName) {
  verbalizer_networks().add({.name = "scale", .meaning = "a factor for each channel", .make_blocks = scale});
  const toy_run::TinyPair pair;
  pair.run({"verbalize.architecture=scale"});
  const auto directory = pair.folder() / "run/student-verbalizers";
  EXPECT_EQ(read_verbalizers_description(directory).config.architecture->name, "scale");
  const auto student = load_vlm(pair.folder() / "student", at::kFloat);
  const auto& text = student->config().text;
  const auto loaded = Verbalizers::load(directory, text, BackboneFingerprint::of(*student), {1});
  const auto parameters = loaded->named_parameters();
  ASSERT_EQ(parameters.size(), 1);
  const auto& [name, value] = parameters.front();
  EXPECT_EQ(name, "layers.1.scale");
  EXPECT_EQ(value.numel(), num_parameters(loaded->config(), text));
  EXPECT_GT((value - 1).abs().max().item<double>(), 0) << "it learnt nothing";  // a vector starts at one
}

}  // namespace
}  // namespace vlsi
