// Model directories read: every layout gives the same model, and every disagreement is told at once.
#include "checkpoint/load.h"

#include "family/qwen2_vl/config.h"

#include <chrono>
#include <fstream>

#include "base/atomic_file.h"
#include "base/json.h"
#include "family/family.h"
#include "model/parts.h"
#include "tests/checkpoint/model_directory.h"
#include "tests/support/sanitizers.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
using fixtures::by_name;
using fixtures::expect_same_parameters;
using fixtures::stored_tensors;
using fixtures::write_directory;

/// The architecture of Qwen2-VL 7B, but for the vision tower's: that is the defaults'.
ModelConfig true_7b() {
  ModelConfig config;
  config.text.hidden_size = 3584;
  config.text.intermediate_size = 18944;
  config.text.num_hidden_layers = 28;
  config.text.num_attention_heads = 28;
  config.text.num_key_value_heads = 4;
  config.family = "qwen2_vl";
  config.own = std::make_shared<Qwen2VlConfig>();
  return config;
}

class LoadVlm : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  static std::shared_ptr<Vlm> load(const fs::path& directory, at::ScalarType dtype = at::kFloat) {
    return load_vlm(directory, dtype);
  }
  Folder folder_;
};

TEST_F(LoadVlm, ReadsEveryNamingThatTransformersWrites) {
  for (const auto& family : families()) {
    const auto variant = concat(family.name, "/tied");
    const auto file = fixtures::directory(concat(family.name, "/names.json"));
    if (!fs::exists(file)) continue;
    const auto tensors = by_name(stored_tensors(variant));
    const auto namings = read_json(file);
    for (const auto& [naming, stored] : namings.items()) {
      SCOPED_TRACE(concat(family.name, ", ", naming));
      NamedTensors renamed;
      for (const std::string name : stored) {
        const auto own = family.own_name(name);
        ASSERT_TRUE(own) << name;
        ASSERT_TRUE(tensors.contains(family.written_name(*own))) << name;
        renamed.emplace_back(name, tensors.at(family.written_name(*own)));
      }
      const auto directory = path(concat(family.name, "-", naming));
      write_directory(directory, renamed, variant);
      expect_same_parameters(*load(directory), *load(fixtures::directory(variant)));
    }
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

TEST_F(LoadVlm, RefusesTensorsUnderTheProgramsOwnNames) {
  auto tensors = stored_tensors("tied");
  for (auto& [name, value] : tensors) {
    if (name == "visual.merger.ln_q.bias") name = "projector.ln_q.bias";
  }
  write_directory(path("own"), tensors);
  const std::string unexpected = "unexpected projector.ln_q.bias";
  expect_error([&] { load(path("own")); }, {"2 problem(s)", "missing visual.merger.ln_q.bias", unexpected});
  tensors.emplace_back("visual.merger.ln_q.bias", at::zeros({16}));
  write_directory(path("both"), tensors);
  expect_error([&] { load(path("both")); }, {"1 problem(s)", unexpected});
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
  EXPECT_NE(message_of([&] { load(path("other")); }).find("unexpected lm_head.weight, which is not the embedding"),
            std::string::npos);
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

TEST_F(LoadVlm, ReadsEveryDtypeFromShards) {
  const auto expected = load(fixtures::directory("untied"));
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    SCOPED_TRACE(dtype);
    const auto folder = path(concat("shards_", dtype));
    fs::create_directories(folder);
    fs::copy_file(fixtures::directory("untied") / "config.json", folder / "config.json");
    std::vector<TensorSource> sources;
    for (const auto& [name, value] : stored_tensors("untied")) sources.push_back(source_of(name, value.to(dtype)));
    write_checkpoint(folder, sources, /*max_shard_bytes=*/30'000);
    EXPECT_TRUE(fs::exists(folder / "model.safetensors.index.json"));
    const auto found = by_name(load(folder)->named_parameters());
    for (const auto& [name, value] : expected->named_parameters())
      EXPECT_TRUE(at::equal(found.at(name), value.to(dtype).to(at::kFloat))) << name;
  }
}

TEST_F(LoadVlm, ReadsTheConfigurationOfEveryLayout) {
  const auto expected = load(fixtures::directory("untied"));
  const auto flat = read_json(fixtures::directory("untied") / "config.json");
  auto text = flat,
       nested = Json{{"model_type", "qwen2_vl"}, {"vision_config", flat["vision_config"]}, {"dtype", "float32"}};
  for (const char* key : {"vision_config", "model_type", "rope_scaling", "rope_theta", "torch_dtype", "architectures"})
    text.erase(key);
  text["model_type"] = "qwen2_vl_text";
  text["rope_parameters"] = flat["rope_scaling"];
  text["rope_parameters"]["rope_theta"] = flat["rope_theta"];
  text["rope_parameters"]["rope_type"] = "default";
  nested["text_config"] = text;
  for (const char* key : {"image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"})
    nested[key] = flat[key];
  auto both = flat;
  both["text_config"] = text;
  write_directory(path("layout"), stored_tensors("untied"), "untied");
  const auto batch = pack({fixtures::sample_of(fixtures::Case("untied", "one_image"))});
  const auto rows = [&](const Vlm& model) {
    at::NoGradGuard no_grad;
    return model.forward(batch, {}).final_rows;
  };
  for (const auto& config : {nested, both}) {
    write_file(path("layout") / "config.json", config.dump());
    const auto model = load(path("layout"));
    expect_same_parameters(*model, *expected);
    EXPECT_TRUE(at::equal(rows(*model), rows(*expected))) << config.dump();
  }
}

/// A directory of the true 7B shapes whose weights are holes in sparse files: they take no disk.
void write_sparse_7b(const fs::path& directory) {
  const ModelConfig config = true_7b();
  fs::create_directories(directory);
  write_file(directory / "config.json", family_of(config).write_config(config, "bfloat16").dump());
  Json weight_map = Json::object();
  Json header = Json::object();
  uint64_t filled = 0;
  int shard = 0;
  const auto close_shard = [&] {
    const auto name = concat("model-", ++shard, ".safetensors");
    for (const auto& [tensor, entry] : header.items()) weight_map[tensor] = name;
    auto text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    std::string length(8, '\0');
    for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 0xFF);
    write_file(directory / name, length + text);
    fs::resize_file(directory / name, 8 + text.size() + filled);
    header = Json::object();
    filled = 0;
  };
  const auto& family = family_of(config);
  for (const auto& [own, parameter] : make_vlm(config)->named_parameters()) {
    const auto name = family.written_name(own);
    const auto bytes = static_cast<uint64_t>(parameter.numel()) * 2;
    if (filled + bytes > kMaxShardBytes) close_shard();
    header[name] = {{"dtype", "BF16"}, {"shape", parameter.sizes().vec()}, {"data_offsets", {filled, filled + bytes}}};
    filled += bytes;
  }
  close_shard();
  write_file(directory / "model.safetensors.index.json", Json{{"weight_map", weight_map}}.dump());
}

/// Anonymous memory of this process that is resident, in bytes.
int64_t anonymous_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) return std::stoll(line.substr(8)) * 1024;
  }
  return -1;
}

TEST_F(LoadVlm, OpensSixteenGigabytesAtOnceAndWithoutMemoryOfItsOwn) {
  SKIP_WITH_SANITIZERS();
  write_sparse_7b(path("7b"));
  const auto before = anonymous_bytes();
  ASSERT_GT(before, 0);
  const auto started = std::chrono::steady_clock::now();
  const auto model = load(path("7b"), at::kBFloat16);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  int64_t num_values = 0;
  for (const auto& [name, value] : model->named_parameters()) num_values += value.numel();
  EXPECT_EQ(num_values, 8'291'375'616);
  EXPECT_LT(seconds, 1.0) << "measured: a few hundredths";
  EXPECT_LT(anonymous_bytes() - before, int64_t{64} << 20) << "of 16.6 GB of weights";
}

TEST_F(LoadVlm, RefusesToBuildWhatItsWeightsAreNowhereNear) {
  write_directory(path("huge"), stored_tensors("tied"));
  auto config = family_of(true_7b()).write_config(true_7b(), "bfloat16");
  config["hidden_size"] = config["vision_config"]["hidden_size"] = 28 * 128 * 1024;
  config["num_attention_heads"] = 28 * 1024;
  write_file(path("huge") / "config.json", config.dump());
  const auto message = message_of([&] { load(path("huge")); });
  EXPECT_NE(message.find("config.json describes"), std::string::npos) << message;
}

TEST_F(LoadVlm, SaysThatAnAdapterIsNoModel) {
  fs::create_directories(path("adapter"));
  write_file(path("adapter") / "adapter_config.json", "{}");
  EXPECT_NE(message_of([&] { load(path("adapter")); }).find("it holds an adapter"), std::string::npos);
}

TEST_F(LoadVlm, NamesTheDirectoryWithoutWeights) {
  fs::create_directories(path("empty"));
  fs::copy_file(fixtures::directory("tied") / "config.json", path("empty") / "config.json");
  EXPECT_NE(message_of([&] { load(path("empty")); }).find("empty"), std::string::npos);
}

}  // namespace
}  // namespace vlsi
