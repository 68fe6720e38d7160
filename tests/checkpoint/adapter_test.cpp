// PEFT's adapters: what it wrote gives its logits, what is written here is read back, and a misfit is told whole.
#include "checkpoint/adapter.h"

#include "base/atomic_file.h"
#include "base/json.h"
#include "checkpoint/adapter_config.h"
#include "family/weight_names.h"
#include "model/parts.h"
#include "tests/checkpoint/model_directory.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;
using fixtures::by_name;
using fixtures::difference;

fs::path stored(const std::string& name) { return fs::path(VLSI_TEST_DATA) / "adapter" / name; }

std::shared_ptr<Vlm> untied() { return load_vlm(fixtures::directory("untied"), at::kFloat); }

at::Tensor logits(const Vlm& model, const std::string& name) {
  at::NoGradGuard no_grad;
  const auto sample = fixtures::at_all_positions(fixtures::sample_of(fixtures::Case("untied", name)));
  return at::linear(model.forward(pack({sample}), {}).final_rows, model.head());
}

void expect_logits_of(const Vlm& model, const std::string& adapter) {
  const auto expected = SafetensorsFile::open(stored(adapter) / "logits.safetensors");
  for (const char* name : {"text", "one_image"}) {
    SCOPED_TRACE(name);
    // float32 through three layers, sums in another order; the adapter moves the logits by more than one.
    EXPECT_LE(difference(logits(model, name), expected->tensor(name)), 5e-5);
    EXPECT_GT(difference(logits(*untied(), name), expected->tensor(name)), 0.5);
  }
}

class Adapters : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }

  /// A copy of a stored adapter with changes to its configuration.
  fs::path changed(const std::string& name, const Json& changes) const {
    fs::remove_all(path("changed"));
    fs::copy(stored(name), path("changed"));
    auto config = read_json(stored(name) / "adapter_config.json");
    config.update(changes);
    write_file(path("changed") / "adapter_config.json", config.dump());
    return path("changed");
  }
  /// A copy of a stored adapter with its tensors changed.
  fs::path with_tensors(const std::string& name, const std::function<void(NamedTensors&)>& change) const {
    const auto folder = changed(name, Json::object());
    NamedTensors tensors;
    const auto file = SafetensorsFile::open(stored(name) / "adapter_model.safetensors");
    for (const auto& [tensor, info] : file->tensors()) tensors.emplace_back(tensor, file->tensor(tensor));
    change(tensors);
    write_safetensors(folder / "adapter_model.safetensors", tensors);
    return folder;
  }
  static std::string load_message(const fs::path& directory) {
    return message_of([&] { load_adapter(*untied(), directory); });
  }
  static void expect_parts(const std::string& message, const std::vector<std::string>& parts) {
    for (const auto& part : parts)
      EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
  }

  Folder folder_;
};

class AdaptersOfPeft : public Adapters, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, AdaptersOfPeft, testing::Values("names", "expression", "layers"),
                         [](const auto& adapter) { return adapter.param; });

TEST_P(AdaptersOfPeft, GiveItsLogits) {
  const auto model = untied();
  load_adapter(*model, stored(GetParam()));
  for (const auto& [name, value] : model->named_parameters()) EXPECT_FALSE(value.requires_grad()) << name;
  expect_logits_of(*model, GetParam());
}

TEST_P(AdaptersOfPeft, AreReadInTheOlderNamingToo) {
  const auto model = untied();
  load_adapter(*model, with_tensors(GetParam(), [](NamedTensors& tensors) {
    for (auto& [name, value] : tensors) {
      const auto& family = *families().find("qwen2_vl");
      name = "base_model.model." + family.written_name(*family.own_name(name.substr(17)));
    }
  }));
  expect_logits_of(*model, GetParam());
}

TEST_P(AdaptersOfPeft, AreWrittenInBothNamingsAndReadBack) {
  const auto model = untied();
  load_adapter(*model, stored(GetParam()));
  for (const std::string naming : {"gen-1", "gen-2"}) {
    save_adapter(path("again"), *model, "some/base", naming);
    const auto again = untied();
    load_adapter(*again, path("again"));
    const auto found = by_name(again->named_parameters());
    for (const auto& [name, value] : model->named_parameters()) EXPECT_TRUE(at::equal(found.at(name), value)) << name;
    expect_logits_of(*again, GetParam());
    const auto file = SafetensorsFile::open(path("again") / "adapter_model.safetensors");
    for (const auto& [name, info] : file->tensors()) {
      EXPECT_TRUE(name.starts_with(naming == "gen-1" ? "base_model.model.model.layers."
                                                     : "base_model.model.model.language_model.") ||
                  name.find("visual.blocks.1.attn.qkv") != std::string::npos)
          << name;
    }
  }
}

TEST_F(Adapters, AreReadFromBfloat16IntoFloat32) {
  const auto model = untied();
  load_adapter(*model, with_tensors("names", [](NamedTensors& tensors) {
    for (auto& [name, value] : tensors) value = value.to(at::kBFloat16);
  }));
  for (const auto& [name, value] : model->named_parameters()) EXPECT_EQ(value.scalar_type(), at::kFloat) << name;
}

TEST_F(Adapters, AreDescribedAsPeftDescribesThem) {
  const auto model = untied();
  model->add_lora(64, 64, {"q_proj", "down_proj"}, 1, "test");
  save_adapter(path("out"), *model, "Qwen/Qwen2-VL-2B-Instruct");
  const auto config = MappedFile::open(path("out") / "adapter_config.json");
  EXPECT_EQ(config->text(), R"({
  "alpha_pattern": {},
  "base_model_name_or_path": "Qwen/Qwen2-VL-2B-Instruct",
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layers_pattern": null,
  "layers_to_transform": null,
  "lora_alpha": 64,
  "lora_dropout": 0.0,
  "modules_to_save": null,
  "peft_type": "LORA",
  "r": 64,
  "rank_pattern": {},
  "revision": null,
  "target_modules": [
    "down_proj",
    "q_proj"
  ],
  "task_type": "CAUSAL_LM",
  "use_dora": false,
  "use_rslora": false
}
)");
  const auto file = SafetensorsFile::open(path("out") / "adapter_model.safetensors");
  EXPECT_EQ(file->tensors().size(), 12U);
  EXPECT_EQ(file->tensors().at("base_model.model.model.language_model.layers.2.mlp.down_proj.lora_B.weight").shape,
            (std::vector<int64_t>{48, 64}));
  EXPECT_EQ(file->metadata().at("format"), "pt");
}

TEST_F(Adapters, AreNamedOneByOneWhereTheirNamesStandForOthersToo) {
  const auto model = untied();
  load_adapter(*model, stored("layers"));
  save_adapter(path("out"), *model, "base");
  const auto targets =
      read_json(path("out") / "adapter_config.json").at("target_modules").get<std::vector<std::string>>();
  EXPECT_EQ(targets,
            (std::vector<std::string>{
                "model.language_model.layers.1.mlp.gate_proj", "model.language_model.layers.1.self_attn.k_proj",
                "model.language_model.layers.2.mlp.gate_proj", "model.language_model.layers.2.self_attn.k_proj"}));
}

TEST_F(Adapters, OfAProjectorWhoseMapsAreNumbersAreNamedByTheirPaths) {
  const auto model = untied();
  model->for_each_module([](const std::string& name, Module& module) {
    if (name != "projector.mlp.0" && name != "projector.mlp.2") return;
    auto& linear = dynamic_cast<Linear&>(module);
    linear.set_lora(at::ones({2, linear.weight().size(1)}), at::ones({linear.weight().size(0), 2}), 1);
  });
  save_adapter(path("out"), *model, "base");
  const auto targets =
      read_json(path("out") / "adapter_config.json").at("target_modules").get<std::vector<std::string>>();
  EXPECT_EQ(targets, (std::vector<std::string>{"model.visual.merger.mlp.0", "model.visual.merger.mlp.2"}));
  EXPECT_NO_THROW(load_adapter(*untied(), path("out")));
}

TEST_F(Adapters, ListEveryMisfitAtOnce) {
  const auto folder = with_tensors("names", [](NamedTensors& tensors) {
    NamedTensors kept;
    for (auto& [name, value] : tensors) {
      if (name.ends_with("layers.0.self_attn.q_proj.lora_A.weight")) continue;
      if (name.ends_with("layers.1.self_attn.v_proj.lora_B.weight")) value = at::zeros({24, 4});
      if (name.ends_with("layers.2.mlp.down_proj.lora_A.weight")) value = at::zeros({4, 47});
      kept.emplace_back(name, value);
    }
    kept.emplace_back("base_model.model.model.language_model.layers.7.mlp.down_proj.lora_A.weight", at::zeros({4, 48}));
    kept.emplace_back("base_model.model.model.layers.1.mlp.up_proj.lora_A.weight", at::zeros({4, 48}));
    kept.emplace_back("base_model.model.model.language_model.layers.1.mlp.down_proj.lora_magnitude_vector",
                      at::zeros({48}));
    kept.emplace_back("base_model.model.model.layers.0.mlp.down_proj.lora_B.weight", at::zeros({48, 4}));
    tensors = kept;
  });
  expect_parts(load_message(folder),
               {"loading the adapter in " + folder.string(), "7 problem(s)",
                "missing model.layers.0.self_attn.q_proj.lora_A.weight",
                "model.layers.1.self_attn.v_proj.lora_B.weight is [24, 4], expected [24, 3]",
                "model.layers.2.mlp.down_proj.lora_A.weight is [4, 47], expected [4, 48]",
                "the model has no linear map model.layers.7.mlp.down_proj",
                "model.layers.1.mlp.up_proj has an adapter, but target_modules does not name it",
                "unexpected base_model.model.model.language_model.layers.1.mlp.down_proj.lora_magnitude_vector",
                "two tensors are named model.layers.0.mlp.down_proj.lora_B.weight"});
}

TEST_F(Adapters, OfAnotherModelAreRefused) {
  auto config = load_model_config(fixtures::directory("untied"));
  config.text.intermediate_size = 64;
  config.text.num_hidden_layers = 2;
  const auto other = make_vlm(config);
  const auto message = message_of([&] { load_adapter(*other, stored("names")); });
  expect_parts(message,
               {"does not fit the model", "model.layers.{0-1}.mlp.down_proj.lora_A.weight is [4, 48], expected [4, 64]",
                "the model has no linear map model.layers.2.self_attn.q_proj"});
}

TEST_F(Adapters, AreRefusedWhereThereAreSomeAlready) {
  const auto model = untied();
  load_adapter(*model, stored("names"));
  expect_parts(message_of([&] { load_adapter(*model, stored("names")); }), {"adapters already"});
}

TEST_F(Adapters, ThatNameNothingOfTheModelAreRefused) {
  const auto folder = with_tensors("names", [](NamedTensors& tensors) { tensors.clear(); });
  auto config = read_json(folder / "adapter_config.json");
  config["target_modules"] = {"query"};
  write_file(folder / "adapter_config.json", config.dump());
  expect_parts(load_message(folder), {"target_modules names no linear map of the model"});
  config["target_modules"] = {"lm_head"};
  write_file(folder / "adapter_config.json", config.dump());
  expect_parts(load_message(folder), {"an adapter of lm_head is not supported"});
}

TEST_F(Adapters, ThatAreNotFloatingPointAreRefused) {
  expect_parts(load_message(with_tensors(
                   "names", [](NamedTensors& tensors) { tensors[0].second = tensors[0].second.to(at::kInt); })),
               {"model.layers.0.mlp.down_proj: its factors are no floating point numbers"});
}

TEST_F(Adapters, WithoutTheirFilesAreRefused) {
  expect_parts(load_message(path("nowhere")), {"adapter_config.json"});
  const auto folder = changed("names", Json::object());
  fs::remove(folder / "adapter_model.safetensors");
  expect_parts(load_message(folder), {"adapter_model.safetensors"});
  write_file(folder / "adapter_model.bin", "");
  expect_parts(load_message(folder), {"found adapter_model.bin, expected adapter_model.safetensors"});
}

struct BadAdapter {
  Json changes;
  std::string part;
};

TEST_F(Adapters, OfKindsThatComputeSomethingElseAreRefused) {
  const std::vector<BadAdapter> configs{
      {{{"peft_type", "IA3"}}, "key 'peft_type' is \"IA3\", expected \"LORA\""},
      {{{"use_dora", true}}, "key \"use_dora\" is true: this kind of adapter is not supported"},
      {{{"modules_to_save", {"lm_head"}}}, "key \"modules_to_save\" is [\"lm_head\"]"},
      {{{"fan_in_fan_out", true}}, "\"fan_in_fan_out\""},
      {{{"bias", "all"}}, "key 'bias' is \"all\", expected \"none\""},
      {{{"init_lora_weights", "pissa"}}, "key 'init_lora_weights' is \"pissa\""},
      {{{"key_of_the_future", 3}}, "key \"key_of_the_future\" is 3"},
      {{{"r", 0}}, "key 'r' is 0, expected 1 to"},
      {{{"r", "4"}}, "key 'r' is a string"},
      {{{"lora_alpha", "8"}}, "key 'lora_alpha'"},
      {{{"lora_alpha", 1e308}}, "adapter_config.json: key 'lora_alpha' is 1e+308, expected at most"},
      {{{"alpha_pattern", {{"v_proj", -1e39}}}}, "alpha_pattern \"v_proj\" is -1e+39, expected at most"},
      {{{"rank_pattern", 3}}, "key 'rank_pattern' is an integer, expected an object"},
      {{{"rank_pattern", {{"v_proj", -1}}}}, "rank_pattern \"v_proj\" is -1"},
      {{{"rank_pattern", {{"(", 2}}}}, "is no regular expression"},
      {{{"alpha_pattern", {{"[", 2}}}}, "is no regular expression"},
      {{{"alpha_pattern", {{"v_proj", "x"}}}}, "key 'v_proj' is a string"},
      {{{"target_modules", nullptr}}, "key 'target_modules' is missing"},
      {{{"target_modules", {1}}},
       "key 'target_modules': is an array, expected a list of names or one regular expression"},
      {{{"target_modules", "("}}, "is no regular expression"},
      {{{"exclude_modules", 7}}, "key 'exclude_modules'"},
      {{{"layers_to_transform", "all"}}, "key 'layers_to_transform"},
      {{{"layers_to_transform", 1}, {"layers_pattern", "("}}, "key 'layers_pattern': \"(\" is no regular expression"},
      {{{"target_modules", "(.*)*(.*)*(.*)*[0-9]"}},
       "adapter_config.json: key 'target_modules': \"(.*)*(.*)*(.*)*[0-9]\" gives up on"},
      {{{"r", 5}}, "model.layers.{0,2}.self_attn.q_proj.lora_A.weight is [4, 48], expected [5, 48]"}};
  for (const auto& [changes, part] : configs) expect_parts(load_message(changed("names", changes)), {part});
}

TEST_F(Adapters, WithTheirNameInTheirTensorsAreRead) {
  const auto model = untied();
  load_adapter(*model, with_tensors("names", [](NamedTensors& tensors) {
    for (auto& [name, value] : tensors) name.insert(name.rfind(".weight"), ".default");
  }));
  expect_logits_of(*model, "names");
}

TEST_F(Adapters, MayHaveFewerFactorsThanTheirExpressionFits) {
  // In the newer naming this fits the vision tower, too.
  const Json expression{{"target_modules", "^(model)(?!.*(lm_head|output|emb|wte|shared|k_proj|gate_proj)).*"}};
  const auto fits = [&](const fs::path& folder) {
    auto config = read_json(folder / "adapter_config.json");
    config.update(expression);
    write_file(folder / "adapter_config.json", config.dump());
    const auto model = untied();
    load_adapter(*model, folder);
    expect_logits_of(*model, "names");
  };
  fits(changed("names", Json::object()));
  fits(with_tensors("names", [](NamedTensors& tensors) {
    for (auto& [name, value] : tensors) name.erase(name.find(".language_model"), strlen(".language_model"));
  }));
  expect_parts(load_message(with_tensors("names",
                                         [](NamedTensors& tensors) {
                                           std::erase_if(tensors, [](const auto& tensor) {
                                             return tensor.first.find("layers.0.self_attn.q_proj") != std::string::npos;
                                           });
                                         })),
               {"missing model.layers.0.self_attn.q_proj.lora_A.weight"});
}

AdapterConfig parse_config(const std::string& more) {
  return AdapterConfig::parse(R"({"peft_type": "LORA", )" + more + "}", "test");
}

const std::string kQuery = "model.layers.0.self_attn.q_proj", kKey = "model.layers.1.self_attn.k_proj";

TEST(AdapterConfig, TakesTheFirstPatternOfTheFileThatFits) {
  // Sorted by their names, "layers..." would come before "q_proj".
  const auto config = parse_config(R"("target_modules": ["q_proj", "k_proj"], "r": 8, "lora_alpha": 8,
      "alpha_pattern": {"q_proj": 32, "layers.0.self_attn.q_proj": 64, ".*_proj": 16},
      "rank_pattern": {"layers.1.self_attn.k_proj": 4, "k_proj": 2, "a": 3})");
  EXPECT_EQ(config.rank(kQuery), 8);
  EXPECT_EQ(config.scale(kQuery), 32.0 / 8);
  EXPECT_EQ(config.rank(kKey), 4);
  EXPECT_EQ(config.scale(kKey), 16.0 / 4);
  EXPECT_EQ(config.rank("model.layers.2.self_attn.k_proj"), 2);
}

TEST(AdapterConfig, LeavesOutWhatIsExcluded) {
  const auto names =
      parse_config(R"("target_modules": ["q_proj", "k_proj"], "exclude_modules": ["layers.0.self_attn.q_proj"])");
  EXPECT_FALSE(names.targets(kQuery));
  EXPECT_TRUE(names.targets("model.layers.1.self_attn.q_proj"));
  const auto expression = parse_config(R"("target_modules": ".*_proj", "exclude_modules": ".*visual.*")");
  EXPECT_TRUE(expression.targets(kQuery));
  EXPECT_FALSE(expression.targets("model.visual.blocks.0.mlp.up_proj"));
}

TEST(AdapterConfig, FollowsPeftsRules) {
  const auto plain = parse_config(R"("target_modules": ["q_proj", "model.language_model.layers.3.mlp.up_proj"])");
  EXPECT_TRUE(plain.targets(kQuery));
  EXPECT_FALSE(plain.targets("model.layers.0.self_attn.xq_proj"));
  EXPECT_TRUE(plain.targets("model.language_model.layers.3.mlp.up_proj")) << "a whole path";
  EXPECT_FALSE(plain.targets("model.language_model.layers.4.mlp.up_proj"));
  EXPECT_EQ(plain.rank(kQuery), 8) << "the class default";
  EXPECT_EQ(plain.scale(kQuery), 1);

  const auto expression =
      parse_config(R"("target_modules": "model\\.layers\\..*q_proj", "r": 16, "lora_alpha": 8, "use_rslora": true)");
  EXPECT_TRUE(expression.targets(kQuery));
  EXPECT_FALSE(expression.targets(kQuery + ".base")) << "the whole path must match";
  EXPECT_FALSE(expression.targets("visual." + kQuery));
  EXPECT_EQ(expression.scale("x"), 2) << "8 / sqrt(16)";

  const auto layers = parse_config(R"("target_modules": ["qkv", "q_proj"], "layers_to_transform": 1)");
  EXPECT_TRUE(layers.targets("model.layers.1.self_attn.q_proj"));
  EXPECT_FALSE(layers.targets("model.layers.11.self_attn.q_proj"));
  EXPECT_TRUE(layers.targets("visual.blocks.1.attn.qkv")) << "without a pattern any list counts";
  const auto decoder = parse_config(
      R"("target_modules": ["qkv", "q_proj"], "layers_to_transform": [1, 2], "layers_pattern": ["layers"])");
  EXPECT_TRUE(decoder.targets("model.layers.2.self_attn.q_proj"));
  EXPECT_FALSE(decoder.targets("visual.blocks.1.attn.qkv"));
}

}  // namespace
}  // namespace vlsi
