// The whole model against transformers: activations, gradients, bfloat16; and what packing must not change.
#include "model/vlm.h"

#include <numeric>
#include <set>

#include "base/json.h"
#include "model/parts.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::Case;
using fixtures::difference;

// Sums of at most 64 float32 products on values up to ten, carried through two vision blocks and three layers: rounding
// adds up to some 1e-5 for any order of the additions. The bound leaves room for other vector widths.
constexpr double kFloatTolerance = 5e-5;

class VlmBesideTransformers : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Vlm> load(at::ScalarType dtype = at::kFloat) const {
    return load_vlm(fixtures::directory(GetParam()), dtype);
  }
  std::vector<Case> cases() const { return fixtures::cases(GetParam()); }
  Batch all_positions() const {
    std::vector<Sample> samples;
    for (const auto& stored : cases()) samples.push_back(fixtures::at_all_positions(fixtures::sample_of(stored)));
    return pack(samples);
  }
  Batch answers() const {
    std::vector<Sample> samples;
    for (const auto& stored : cases()) samples.push_back(fixtures::sample_of(stored));
    return pack(samples);
  }
  static std::vector<std::string> all_parts() { return {"vision", "projector", "embeddings", "decoder", "head"}; }
  static std::vector<int64_t> all_layers(const Vlm& model) {
    std::vector<int64_t> layers(model.num_layers());
    std::iota(layers.begin(), layers.end(), 1);
    return layers;
  }
};

/// Rows of the batch's `index`-th sample. dimension: which one counts the answer positions.
at::Tensor rows_of(const at::Tensor& rows, const Batch& batch, int64_t index, int64_t dimension = 0) {
  const int64_t start = batch.answer_starts[index];
  return rows.narrow(dimension, start, batch.answer_starts[index + 1] - start);
}

TEST_P(VlmBesideTransformers, GivesItsLayerRowsFinalRowsAndLogits) {
  at::NoGradGuard no_grad;
  const auto model = load();
  const auto batch = all_positions();
  const auto hidden = model->forward(batch, {.layers = all_layers(*model), .final_rows = true});
  const auto logits = at::linear(hidden.final_rows, model->head());
  const auto stored = cases();
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const auto& expected = stored[batch.order[i]];
    SCOPED_TRACE(expected.name());
    EXPECT_LE(difference(rows_of(hidden.layers, batch, i, 1), expected["layer_outputs"]), kFloatTolerance);
    EXPECT_LE(difference(rows_of(hidden.final_rows, batch, i), expected["normed"]), kFloatTolerance);
    EXPECT_LE(difference(rows_of(logits, batch, i), expected["logits"]), kFloatTolerance);
  }
}

TEST_P(VlmBesideTransformers, GivesItsPictureFeatures) {
  at::NoGradGuard no_grad;
  const auto model = load();
  for (const char* name : {"one_image", "two_images"}) {
    SCOPED_TRACE(name);
    const Case stored(GetParam(), name);
    const auto pictures = fixtures::picture_shapes(stored);
    const auto features = model->tower().encode(stored["patches"], pictures);
    const auto projected = model->projector().project(features, pictures);
    EXPECT_LE(difference(projected.rows, stored["image_features"]), kFloatTolerance);
    for (size_t i = 0; i < projected.added.size(); ++i)
      EXPECT_LE(difference(projected.added[i], stored[concat("added_rows_", i)]), kFloatTolerance);
  }
}

TEST_P(VlmBesideTransformers, GivesItsLossAndTheGradientOfEveryParameter) {
  const auto model = load();
  const auto trained = make_trainable(*model, all_parts(), "test");
  const auto expected = read_json(fixtures::directory(GetParam()) / "expected.json");
  const auto loss = fixtures::summed_loss(*model, answers()) / expected.at("num_labels").get<double>();
  // Rounding moves logits by some 1e-5 (kFloatTolerance), up and down: their mean over the labels by less.
  EXPECT_NEAR(loss.item<double>(), expected.at("loss").get<double>(), 1e-5);
  loss.backward();

  const auto gradients = SafetensorsFile::open(fixtures::directory(GetParam()) / "gradients.safetensors");
  size_t num_reached = 0;
  for (const auto& [own, parameter] : trained) {
    const auto name = family_of(model->config()).written_name(own);
    if (!gradients->tensors().contains(name) && !parameter.grad().defined()) continue;  // nothing reads it
    ++num_reached;
    ASSERT_TRUE(gradients->tensors().contains(name)) << name;
    ASSERT_TRUE(parameter.grad().defined()) << name;
    const auto target = gradients->tensor(name);
    // Gradients of one tensor are sums over all tokens whose terms cancel in part: their error follows its largest
    // entry. Where nothing turns keys, their bias moves all scores of a query alike: its gradient is rounding alone.
    EXPECT_LE(difference(parameter.grad(), target), 5e-5 * target.abs().max().item<double>() + 5e-8) << name;
  }
  EXPECT_EQ(num_reached, gradients->tensors().size());
}

TEST_P(VlmBesideTransformers, StaysWithinItsOwnRoundingInBfloat16) {
  at::NoGradGuard no_grad;
  const auto model = load(at::kBFloat16);
  const auto batch = all_positions();
  const auto logits = at::linear(model->forward(batch, {}).final_rows, model->head());
  ASSERT_EQ(logits.scalar_type(), at::kBFloat16);
  const auto stored = cases();
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    const auto& expected = stored[batch.order[i]];
    SCOPED_TRACE(expected.name());
    const auto log_probabilities = [](const at::Tensor& x) { return at::log_softmax(x.to(at::kFloat), -1); };
    const auto ours = log_probabilities(rows_of(logits, batch, i));
    const auto theirs = log_probabilities(expected["logits_bf16"]), exact = log_probabilities(expected["logits"]);
    // Eight bits of mantissa, rounded after every operation at places that kernels choose differently: two such models
    // may differ by about as much as one of them from float32, and are equally exact on average.
    const double gap = difference(theirs, exact);
    EXPECT_LE(difference(ours, theirs), 2 * gap);
    EXPECT_LE(difference(ours, exact), 2 * gap);
    const auto mean_error = [&](const at::Tensor& x) { return (x - exact).abs().mean().item<double>(); };
    EXPECT_LE(mean_error(ours), 1.5 * mean_error(theirs));
  }
}

TEST_P(VlmBesideTransformers, KeepsRowsThatFillUpItsProductsToItself) {
  const auto exact = load(), model = load(at::kBFloat16);
  const auto trained = make_trainable(*model, {"decoder"}, "test"),
             exactly_trained = make_trainable(*exact, {"decoder"}, "test");
  const auto difference_of = [](const at::Tensor& ours, const at::Tensor& expected) {
    return ((ours.to(at::kFloat) - expected).norm() / expected.norm()).item<double>();
  };
  std::set<int64_t> remainders;
  for (const auto& stored : cases()) {
    SCOPED_TRACE(stored.name());
    const auto batch = pack({fixtures::sample_of(stored)});
    remainders.insert(batch.num_tokens() % 8);
    const HiddenRequest request{.layers = {1, 3}, .final_rows = true, .all_tokens = true};
    const auto ours = model->forward(batch, request), expected = exact->forward(batch, request);
    ASSERT_EQ(ours.layers.sizes(), expected.layers.sizes());
    ours.layers.sum().backward();
    expected.layers.sum().backward();
    // Some tens of roundings to eight bits of mantissa, at most 0.4 % each.
    EXPECT_LE(difference_of(ours.layers, expected.layers), 0.03);
    EXPECT_LE(difference_of(ours.final_rows, expected.final_rows), 0.03);
  }
  EXPECT_GT(remainders.size(), 1) << "of some batch the rows must be no multiple of 8";
  for (size_t i = 0; i < trained.size(); ++i) {
    const auto& [name, parameter] = trained[i];
    if (!parameter.grad().defined()) continue;
    // The same for gradients, which are sums of terms that cancel in part.
    EXPECT_LE(difference_of(parameter.grad(), exactly_trained[i].second.grad()), 0.15) << name;
  }
}

TEST_P(VlmBesideTransformers, GivesAPackedSampleTheRowsItHasAlone) {
  at::NoGradGuard no_grad;
  const auto model = load();
  const HiddenRequest request{.layers = {1, 3}, .final_rows = true};
  const auto batch = answers();
  const auto packed = model->forward(batch, request);
  const auto stored = cases();
  for (int64_t i = 0; i < batch.num_samples(); ++i) {
    SCOPED_TRACE(batch.ids[i]);
    const auto alone = model->forward(pack({fixtures::sample_of(stored[batch.order[i]])}), request);
    // The same sums, perhaps blocked otherwise by the matrix product.
    EXPECT_LE(difference(rows_of(packed.layers, batch, i, 1), alone.layers), 1e-5);
    EXPECT_LE(difference(rows_of(packed.final_rows, batch, i), alone.final_rows), 1e-5);
  }
}

TEST_P(VlmBesideTransformers, GivesEqualSamplesOfOneRunEqualRows) {
  at::NoGradGuard no_grad;
  const auto model = load();
  const auto sample = fixtures::sample_of(Case(GetParam(), "two_images"));
  const auto alone = model->forward(pack({sample}), {}).final_rows;
  const auto batch = pack({sample, sample, sample});
  const auto rows = model->forward(batch, {}).final_rows;
  for (int64_t i = 0; i < 3; ++i) EXPECT_LE(difference(rows_of(rows, batch, i), alone), 1e-5);
}

TEST_P(VlmBesideTransformers, GivesTheRowsOfTheFullPassWhenAskedForFewer) {
  at::NoGradGuard no_grad;
  const auto model = load();
  const auto full = model->forward(all_positions(), {.layers = all_layers(*model), .final_rows = true});
  const auto batch = answers();
  const auto expected_layers = full.layers.index_select(1, batch.answer_positions);
  for (const std::vector<int64_t>& layers : {std::vector<int64_t>{1}, {2}, {3}, {1, 3}, {1, 2}}) {
    const auto hidden = model->forward(batch, {.layers = layers, .final_rows = false});
    EXPECT_FALSE(hidden.final_rows.defined());
    ASSERT_EQ(hidden.layers.size(0), std::ssize(layers));
    for (size_t i = 0; i < layers.size(); ++i) {
      EXPECT_LE(difference(hidden.layers[static_cast<int64_t>(i)], expected_layers[layers[i] - 1]), 1e-5);
    }
  }
  const auto final_only = model->forward(batch, {});
  EXPECT_FALSE(final_only.layers.defined());
  EXPECT_LE(difference(final_only.final_rows, full.final_rows.index_select(0, batch.answer_positions)), 1e-5);
}

TEST_P(VlmBesideTransformers, GivesTheLayersOfAllTokensWhenAskedForThem) {
  at::NoGradGuard no_grad;
  const auto model = load();
  const auto full = model->forward(all_positions(), {.layers = all_layers(*model), .final_rows = true});
  const auto batch = answers();
  for (const std::vector<int64_t>& layers : {std::vector<int64_t>{2}, {1, 3}}) {
    for (const bool final_rows : {false, true}) {
      const auto hidden = model->forward(batch, {.layers = layers, .final_rows = final_rows, .all_tokens = true});
      ASSERT_EQ(hidden.layers.size(1), batch.num_tokens());
      for (size_t i = 0; i < layers.size(); ++i) {
        EXPECT_LE(difference(hidden.layers[static_cast<int64_t>(i)], full.layers[layers[i] - 1]), 1e-5);
      }
      ASSERT_EQ(hidden.final_rows.defined(), final_rows);
      if (!final_rows) continue;
      EXPECT_LE(difference(hidden.final_rows, full.final_rows.index_select(0, batch.answer_positions)), 1e-5);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, VlmBesideTransformers, testing::ValuesIn(fixtures::variants()), fixtures::test_name);

TEST(Vlm, HasTheEmbeddingAsItsHeadWhenTied) {
  const auto tied = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto names = fixtures::by_name(tied->named_parameters());
  EXPECT_TRUE(tied->head().is_same(names.at("embeddings.weight")));
  EXPECT_FALSE(names.contains("head.weight"));
}

TEST(Vlm, RefusesPicturesThatDoNotFillTheirPlaces) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  auto sample = fixtures::sample_of(Case("tied", "one_image"));
  sample.image_token_positions.pop_back();
  EXPECT_THROW(model->forward(pack({sample}), {}), c10::Error);
}

}  // namespace
}  // namespace vlsi
