// Model directories written: complete, readable by others, sharded where they are large, and whole or not there.
#include "checkpoint/save.h"

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "checkpoint/load.h"
#include "model/parts.h"
#include "tests/checkpoint/model_directory.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
using fixtures::by_name;
using fixtures::expect_same_parameters;
using fixtures::stored_tensors;

class SaveVlm : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  static std::shared_ptr<Vlm> load(const fs::path& directory, at::ScalarType dtype = at::kFloat) {
    return load_vlm(directory, dtype);
  }
  Folder folder_;
};

TEST_F(SaveVlm, WritesWhatIsReadBack) {
  for (const auto& variant : fixtures::variants()) {
    SCOPED_TRACE(variant);
    const auto model = load(fixtures::directory(variant));
    save_vlm(path(variant), *model, at::kFloat, {});
    expect_same_parameters(*load(path(variant)), *model);
    EXPECT_EQ(Checkpoint::open(path(variant)).names(), Checkpoint::open(fixtures::directory(variant)).names());
    EXPECT_TRUE(fs::exists(path(variant) / "generation_config.json"));
    EXPECT_EQ(read_json(path(variant) / "config.json").contains("text_config"),
              read_json(fixtures::directory(variant) / "config.json").contains("text_config"));
  }
}

TEST_F(SaveVlm, RoundsToBfloat16) {
  const auto model = load(fixtures::directory("untied"));
  save_vlm(path("bf16"), *model, at::kBFloat16, {});
  EXPECT_EQ(read_json(path("bf16") / "config.json")["torch_dtype"], "bfloat16");
  const auto narrow = load(path("bf16"), at::kBFloat16), wide = load(path("bf16"));
  const auto original = by_name(model->named_parameters()), found = by_name(wide->named_parameters());
  for (const auto& [name, value] : narrow->named_parameters()) {
    ASSERT_EQ(value.scalar_type(), at::kBFloat16) << name;
    EXPECT_TRUE(at::equal(value, original.at(name).to(at::kBFloat16))) << name;
    EXPECT_TRUE(at::equal(found.at(name), value.to(at::kFloat))) << name;
  }
}

TEST_F(SaveVlm, CutsLargeWeightsIntoShardsWithAnIndex) {
  const auto model = load(fixtures::directory("untied"));
  save_vlm(path("shards"), *model, at::kFloat, {}, /*max_shard_bytes=*/40'000);
  EXPECT_FALSE(fs::exists(path("shards") / "model.safetensors"));
  expect_same_parameters(*load(path("shards")), *model);
  const auto index = read_json(path("shards") / "model.safetensors.index.json");
  int64_t num_bytes = 0;
  for (const auto& [name, value] : model->named_parameters()) num_bytes += static_cast<int64_t>(value.nbytes());
  EXPECT_EQ(index.at("metadata").at("total_size"), num_bytes);
  EXPECT_EQ(index.at("weight_map").size(), model->named_parameters().size());
  EXPECT_EQ(index["weight_map"]["visual.patch_embed.proj.weight"], "model-00001-of-00009.safetensors");
  EXPECT_EQ(index["weight_map"]["lm_head.weight"], "model-00009-of-00009.safetensors");
}

TEST_F(SaveVlm, WritesWhatOtherReadersDemandOfTheFile) {
  const auto model = load(fixtures::directory("tied"));
  save_vlm(path("out"), *model, at::kBFloat16, {});
  const auto mapped = MappedFile::open(path("out") / "model.safetensors");
  const auto bytes = mapped->text();
  uint64_t header_bytes = 0;
  for (size_t i = 0; i < 8; ++i) header_bytes |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  EXPECT_EQ(header_bytes % 8, 0U) << "the data begin at a multiple of eight bytes";
  const auto file = SafetensorsFile::open(path("out") / "model.safetensors");
  EXPECT_EQ(file->metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_FALSE(file->tensors().contains("lm_head.weight")) << "a tied head is not stored";
  // Names and shapes as the file that transformers read has them.
  const auto expected = Checkpoint::open(fixtures::directory("tied"));
  ASSERT_EQ(file->tensors().size(), expected.names().size());
  for (const auto& name : expected.names()) {
    ASSERT_TRUE(file->tensors().contains(name)) << name;
    EXPECT_EQ(file->tensors().at(name).shape, expected.info(name).shape) << name;
    EXPECT_EQ(file->tensors().at(name).dtype, at::kBFloat16) << name;
  }
}

TEST_F(SaveVlm, CarriesTokenizerAndProcessorFilesUnchanged) {
  const auto model = load(fixtures::directory("tied"));
  fs::create_directories(path("from"));
  const std::vector<std::pair<std::string, std::string>> files{
      {"tokenizer.json", "{ \"a\":1}"},
      {"preprocessor_config.json", "{}\n\n"},
      {"generation_config.json", "{\"eos_token_id\": [1, 2]}"}};
  for (const auto& [name, text] : files) write_file(path("from") / name, text);
  write_file(path("from") / "model.safetensors", "not to be carried");
  save_vlm(path("out"), *model, at::kFloat, path("from"));
  for (const auto& [name, text] : files) EXPECT_EQ(MappedFile::open(path("out") / name)->text(), text) << name;
  EXPECT_FALSE(fs::exists(path("out") / "chat_template.json"));
  expect_same_parameters(*load(path("out")), *model);
}

TEST_F(SaveVlm, ReplacesADirectoryAndLeavesItWhenItFails) {
  const auto tied = load(fixtures::directory("tied")), untied = load(fixtures::directory("untied"));
  save_vlm(path("out"), *tied, at::kFloat, {});
  fs::create_directories(path("from") / "tokenizer.json");  // a folder where a file should be: it cannot be carried
  EXPECT_ANY_THROW(save_vlm(path("out"), *untied, at::kFloat, path("from")));
  expect_same_parameters(*load(path("out")), *tied);
  save_vlm(path("out"), *untied, at::kFloat, {});
  expect_same_parameters(*load(path("out")), *untied);
  size_t num_entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_.path())) ++num_entries;
  EXPECT_EQ(num_entries, 2U) << "a temporary directory is left over";
}

TEST_F(SaveVlm, MergesAdaptersIntoWhatItWrites) {
  const auto model = load(fixtures::directory("tied"));
  model->add_lora(4, 8, {"q_proj", "down_proj"}, 1, "test");
  for (auto& [name, value] : model->named_parameters()) {
    if (part_of(name) == "lora") value.copy_(fixtures::random(value.sizes(), 3));
  }
  save_vlm(path("out"), *model, at::kFloat, {});
  const auto written = load(path("out"));
  const auto parameters = by_name(model->named_parameters()), stored = by_name(stored_tensors("tied"));
  for (const auto& [name, value] : written->named_parameters()) {
    SCOPED_TRACE(name);
    const auto& values = stored.at(family_of(model->config()).written_name(name));
    const auto map = name.substr(0, name.rfind('.'));
    const bool adapted = parameters.contains(map + ".lora_A") && name.ends_with(".weight");
    const auto expected =
        adapted ? values + at::mm(parameters.at(map + ".lora_B"), parameters.at(map + ".lora_A")) * 2.0 : values;
    EXPECT_TRUE(at::equal(value, expected));
  }
  const auto batch = pack({fixtures::sample_of(fixtures::Case("tied", "one_image"))});
  const auto rows = [&](const Vlm& of) {
    at::NoGradGuard no_grad;
    return of.forward(batch, {}).final_rows;
  };
  // The same product with its additions in another order, in float32 over three layers.
  EXPECT_LE(fixtures::difference(rows(*written), rows(*model)), 1e-4);
  EXPECT_GT(fixtures::difference(rows(*written), rows(*load(fixtures::directory("tied")))), 0.1);
}

}  // namespace
}  // namespace vlsi
