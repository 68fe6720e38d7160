// Model directories: what is written is read back, and every disagreement is told at once.
#include "model/load.h"

#include "base/atomic_file.h"
#include "base/json.h"
#include "model/parts.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
using fixtures::by_name;
using fixtures::message_of;

NamedTensors stored_tensors(const std::string& variant) {
  const auto checkpoint = Checkpoint::open(fixtures::directory(variant));
  NamedTensors tensors;
  for (const auto& name : checkpoint.names()) tensors.emplace_back(name, checkpoint.tensor(name));
  return tensors;
}

void write_directory(const fs::path& directory, const NamedTensors& tensors, const std::string& variant = "tied") {
  fs::create_directories(directory);
  fs::copy_file(fixtures::directory(variant) / "config.json", directory / "config.json",
                fs::copy_options::overwrite_existing);
  write_safetensors(directory / "model.safetensors", tensors);
}

void expect_same_parameters(const Vlm& model, const Vlm& expected) {
  const auto found = by_name(model.named_parameters()), wanted = by_name(expected.named_parameters());
  ASSERT_EQ(found.size(), wanted.size());
  for (const auto& [name, value] : wanted) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_TRUE(at::equal(found.at(name), value)) << name;
  }
}

class LoadVlm : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  static std::shared_ptr<Vlm> load(const fs::path& directory, at::ScalarType dtype = at::kFloat) {
    return load_vlm(directory, dtype);
  }
  fixtures::TemporaryFolder folder_;
};

TEST_F(LoadVlm, ReadsWhatWasSaved) {
  for (const char* variant : {"tied", "untied"}) {
    SCOPED_TRACE(variant);
    const auto model = load(fixtures::directory(variant));
    save_vlm(path(variant), *model, at::kFloat, {});
    expect_same_parameters(*load(path(variant)), *model);
    EXPECT_EQ(Checkpoint::open(path(variant)).names(), Checkpoint::open(fixtures::directory(variant)).names());
    EXPECT_TRUE(fs::exists(path(variant) / "generation_config.json"));
  }
}

TEST_F(LoadVlm, ReadsAndWritesBfloat16) {
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

TEST_F(LoadVlm, ReadsTheNewerNames) {
  NamedTensors renamed;
  for (auto [name, value] : stored_tensors("untied")) {
    if (name.starts_with("visual.")) {
      name = "model." + name;
    } else if (name.starts_with("model.")) {
      name = "model.language_model." + name.substr(6);
    }
    renamed.emplace_back(name, value);
  }
  write_directory(path("newer"), renamed, "untied");
  expect_same_parameters(*load(path("newer")), *load(fixtures::directory("untied")));
}

TEST_F(LoadVlm, RefusesATensorUnderBothNames) {
  auto tensors = stored_tensors("tied");
  tensors.emplace_back("model.language_model.norm.weight", at::ones({48}));
  write_directory(path("both"), tensors);
  EXPECT_NE(message_of([&] { load(path("both")); }).find("two tensors are named model.norm.weight"), std::string::npos);
}

TEST_F(LoadVlm, ListsEveryDisagreementAtOnce) {
  NamedTensors tensors;
  for (const auto& [name, value] : stored_tensors("tied")) {
    if (name == "model.norm.weight" || name == "visual.merger.ln_q.bias") continue;
    if (name == "model.layers.0.mlp.up_proj.weight") {
      tensors.emplace_back(name, at::zeros({48, 47}));
    } else if (name == "model.layers.1.self_attn.q_proj.bias") {
      tensors.emplace_back(name, at::zeros({48}, at::kInt));
    } else {
      tensors.emplace_back(name, value);
    }
  }
  tensors.emplace_back("model.layers.9.mlp.up_proj.weight", at::zeros({2, 2}));
  write_directory(path("bad"), tensors);
  const auto message = message_of([&] { load(path("bad")); });
  for (const char* expected :
       {"bad", "5 problem(s)", "missing model.norm.weight", "missing visual.merger.ln_q.bias",
        "model.layers.0.mlp.up_proj.weight is [48, 47], expected [48, 48]",
        "model.layers.1.self_attn.q_proj.bias is of type Int", "unexpected model.layers.9.mlp.up_proj.weight"}) {
    EXPECT_NE(message.find(expected), std::string::npos) << expected << " in: " << message;
  }
}

TEST_F(LoadVlm, TakesARepeatedTiedHeadOnlyWhenItEqualsTheEmbedding) {
  auto tensors = stored_tensors("tied");
  const auto embedding = by_name(tensors).at("model.embed_tokens.weight");
  tensors.emplace_back("lm_head.weight", embedding.clone());
  write_directory(path("repeated"), tensors);
  expect_same_parameters(*load(path("repeated")), *load(fixtures::directory("tied")));
  expect_same_parameters(*load(path("repeated"), at::kBFloat16), *load(fixtures::directory("tied"), at::kBFloat16));

  tensors.back().second[3][5] += 1;
  write_directory(path("other"), tensors);
  EXPECT_NE(message_of([&] { load(path("other")); }).find("unexpected lm_head.weight"), std::string::npos);
}

TEST_F(LoadVlm, LeavesStoredWeightsInTheMappedFileUntilTheyLearn) {
  // A view of the map says that its storage cannot grow; memory of PyTorch's own can.
  const auto is_mapped = [](const at::Tensor& x) { return !x.storage().resizable(); };
  const auto model = load(fixtures::directory("tied"));
  for (const auto& [name, value] : model->named_parameters()) {
    EXPECT_TRUE(is_mapped(value)) << name;
    EXPECT_FALSE(value.requires_grad()) << name;
  }
  make_trainable(*model, {"decoder"}, "test");
  for (const auto& [name, value] : model->named_parameters())
    EXPECT_EQ(is_mapped(value), part_of(name) != "decoder") << name;
  for (const auto& [name, value] : load(fixtures::directory("tied"), at::kBFloat16)->named_parameters()) {
    EXPECT_FALSE(is_mapped(value)) << name;
  }
}

TEST_F(LoadVlm, NamesTheDirectoryWithoutWeights) {
  fs::create_directories(path("empty"));
  fs::copy_file(fixtures::directory("tied") / "config.json", path("empty") / "config.json");
  EXPECT_NE(message_of([&] { load(path("empty")); }).find("empty"), std::string::npos);
}

using SaveVlm = LoadVlm;

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
  model->merge_lora();
  expect_same_parameters(*written, *model);
  EXPECT_FALSE(at::equal(by_name(written->named_parameters()).at("model.layers.0.self_attn.q_proj.weight"),
                         by_name(stored_tensors("tied")).at("model.layers.0.self_attn.q_proj.weight")));
}

TEST(InitializeVlm, IsAFunctionOfItsSeed) {
  const auto config = load_model_config(fixtures::directory("untied"));
  const auto first = initialize_vlm(config, Initializer::kFanIn, 5);
  expect_same_parameters(*initialize_vlm(config, Initializer::kFanIn, 5), *first);
  const auto other = initialize_vlm(config, Initializer::kFanIn, 6);
  EXPECT_FALSE(at::equal(other->head(), first->head()));
}

TEST(InitializeVlm, DrawsTheStandardDeviationsItPromises) {
  const auto config = load_model_config(fixtures::directory("untied"));
  const auto expect_std = [](const at::Tensor& value, double expected, const std::string& name) {
    // The sample deviation of n normal values is off by expected / sqrt(2 n) or so; five times that never happens.
    const double error = 5 * expected / std::sqrt(2.0 * static_cast<double>(value.numel()));
    EXPECT_NEAR(value.std().item<double>(), expected, error) << name;
  };
  for (const auto& [name, value] : initialize_vlm(config, Initializer::kFanIn, 1)->named_parameters()) {
    if (name.ends_with(".bias")) {
      EXPECT_TRUE(at::equal(value, at::zeros_like(value))) << name;
    } else if (value.dim() == 1) {
      EXPECT_TRUE(at::equal(value, at::ones_like(value))) << name;
    } else {
      const double fan_in = static_cast<double>(value[0].numel());
      expect_std(value, part_of(name) == "embeddings" ? 0.05 : 1 / std::sqrt(fan_in), name);
    }
  }
  for (const auto& [name, value] : initialize_vlm(config, Initializer::kNormal, 1)->named_parameters()) {
    if (value.dim() > 1) expect_std(value, 0.02, name);
  }
}

TEST(CopyVisionTower, CopiesTheTowerWithoutItsMerger) {
  const auto from = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto to = initialize_vlm(from->config(), Initializer::kFanIn, 3),
             before = initialize_vlm(from->config(), Initializer::kFanIn, 3);
  copy_vision_tower(*from, *to, "test");
  const auto source = by_name(from->named_parameters()), untouched = by_name(before->named_parameters());
  for (const auto& [name, value] : to->named_parameters()) {
    EXPECT_TRUE(at::equal(value, (part_of(name) == "vision" ? source : untouched).at(name))) << name;
  }
}

TEST(CopyVisionTower, RefusesAnotherShape) {
  const auto from = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto to = initialize_vlm(load_model_config(fixtures::directory("untied")), Initializer::kFanIn, 3);
  const auto message = message_of([&] { copy_vision_tower(*from, *to, "donor"); });
  EXPECT_NE(message.find("donor"), std::string::npos) << message;
  EXPECT_NE(message.find("visual.patch_embed.proj.weight"), std::string::npos) << message;
}

TEST(Dtypes, HaveNames) {
  for (const char* name : {"float32", "bfloat16", "float16"}) EXPECT_EQ(dtype_name(parse_dtype(name, "test")), name);
  EXPECT_NE(message_of([] { parse_dtype("int8", "--dtype"); }).find("--dtype: dtype is 'int8'"), std::string::npos);
}

}  // namespace
}  // namespace vlsi
