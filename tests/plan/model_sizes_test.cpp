// Sizes from headers against those of loaded models.
#include "plan/model_sizes.h"

#include "tests/plan/plan_fixture.h"

namespace vlsi {
namespace {

using namespace plan_fixture;

TEST(ModelSizes, AreThoseOfTheLoadedModel) {
  const Folder folder;
  for (const bool tied : {true, false}) {
    SCOPED_TRACE(tied);
    const StoredModel stored(folder.path() / (tied ? "tied" : "untied"), small_config(3, 64, tied), at::kFloat,
                             at::kFloat);
    const auto model = load_vlm(stored.path(), at::kFloat);
    std::map<std::string, double> values;
    for (const auto& [name, parameter] : model->named_parameters())
      values[std::string(part_of(name))] += static_cast<double>(parameter.numel());
    const auto& sizes = stored.sizes();
    EXPECT_EQ(sizes.all.values, num_values(*sizes.model));
    ASSERT_EQ(sizes.parts.size(), values.size());
    for (const auto& [part, count] : values) EXPECT_EQ(sizes.part(part).values, count) << part;
    EXPECT_EQ(sizes.table.values, 512 * 64);
    EXPECT_EQ(sizes.largest_layer.values * 3 + 64, sizes.part("decoder").values);  // and the final norm
    EXPECT_EQ(sizes.part("nothing").values, 0);

    const std::vector<std::string> targets{"q_proj", "k_proj", "down_proj", "gate_proj"};
    model->add_lora(5, 1, targets, /*seed=*/1, "test");
    double adapters = 0;
    for (const auto& [name, parameter] : model->named_parameters()) {
      if (part_of(name) == "lora") adapters += static_cast<double>(parameter.numel());
    }
    EXPECT_EQ(sizes.lora_values(5, targets), adapters);
  }
}

TEST(ModelSizes, CountQuantisedMaps) {
  const Folder folder;
  const StoredModel stored(folder.path() / "model", small_config(2, 64, true), at::kBFloat16, at::kBFloat16);
  const auto model = load_vlm(stored.path(), at::kBFloat16);
  for (const auto kind : {Quantization::kInt8, Quantization::kInt4}) {
    double bytes = 0, values = 0;
    model->for_each_module([&](const std::string& name, Module& module) {
      const auto* linear = dynamic_cast<Linear*>(&module);
      if (linear == nullptr || !name.starts_with("decoder.")) return;
      bytes += static_cast<double>(quantize_weight(linear->weight(), kind).num_bytes());
      values += static_cast<double>(linear->weight().numel());
    });
    EXPECT_EQ(stored.sizes().map_bytes(kind), bytes);
    EXPECT_EQ(stored.sizes().map_bytes(Quantization::kNone), 2 * values);
    EXPECT_EQ(stored.sizes().quantized_layer_bytes(kind),
              stored.sizes().largest_layer.bytes() - (2 * values - bytes) / 2);  // of two layers
  }
}

TEST(ModelSizes, TellViewsFromWhatIsConverted) {
  const Folder folder;
  const StoredModel wide(folder.path() / "wide", small_config(1, 64, true), at::kFloat, at::kBFloat16);
  const auto& all = wide.sizes().all;
  EXPECT_EQ(all.viewed_bytes, 0);
  EXPECT_EQ(all.converted_bytes, 2 * all.values);
  EXPECT_EQ(all.stored_bytes, 4 * all.values);
  const StoredModel narrow(folder.path() / "narrow", small_config(1, 64, true), at::kBFloat16, at::kBFloat16);
  EXPECT_EQ(narrow.sizes().all.viewed_bytes, 2 * all.values);
  EXPECT_EQ(narrow.sizes().all.converted_bytes, 0);
}

}  // namespace
}  // namespace vlsi
