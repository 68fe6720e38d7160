// Every naming of the family's files gives the same model. Names of transformers: tests/oracle/make_config_fixture.py.
#include <set>

#include "checkpoint/adapter.h"
#include "checkpoint/save.h"
#include "model/parts.h"
#include "tests/checkpoint/model_directory.h"

namespace vlsi {
namespace {

using fixtures::stored_tensors;

const char* const kTied = "llava_onevision/tied";
const Family& llava() { return *families().find("llava_onevision"); }

/// What the authors of the model call a tensor of this name in the hub's files.
std::string original_name(const std::string& hub) {
  constexpr std::pair<std::string_view, std::string_view> kPrefixes[] = {
      {"vision_tower.vision_model.", "model.vision_tower.vision_tower.vision_model."},
      {"image_newline", "model.image_newline"},
      {"multi_modal_projector.linear_1.", "model.mm_projector.0."},
      {"multi_modal_projector.linear_2.", "model.mm_projector.2."},
      {"language_model.model.", "model."},
      {"language_model.lm_head.", "lm_head."}};
  for (const auto& [from, to] : kPrefixes) {
    if (hub.starts_with(from)) return std::string(to).append(hub.substr(from.size()));
  }
  return "no name";
}

TEST(LlavaOnevisionNames, OfTransformersAreAllKnown) {
  std::set<std::string> expected;
  for (const auto& [name, value] : load_vlm(fixtures::directory(kTied), at::kFloat)->named_parameters())
    expected.insert(name);
  const auto namings = read_json(fixtures::directory("llava_onevision/names.json"));
  EXPECT_EQ(namings.size(), 4U);
  for (const auto& [naming, names] : namings.items()) {
    std::set<std::string> found;
    for (const std::string name : names) found.insert(llava().own_name(name).value_or(name));
    EXPECT_EQ(found, expected) << naming;
  }
}

TEST(LlavaOnevisionNames, OfEveryNamingGiveTheSameModel) {
  for (const std::string variant : {"llava_onevision/tied", "llava_onevision/untied"}) {
    const auto expected = load_vlm(fixtures::directory(variant), at::kFloat);
    std::vector<std::function<std::string(const std::string&)>> namings{original_name};
    for (const auto& names : llava().namings) {
      namings.push_back([&](const std::string& hub) { return stored_name(names, llava().own_name(hub).value()); });
      // Transformers' own modules have no vision_model.
      namings.push_back([&](const std::string& hub) {
        auto name = stored_name(names, llava().own_name(hub).value());
        if (const auto at = name.find("vision_model."); at != std::string::npos && names.name != "lmms-lab")
          name.erase(at, 13);
        return name;
      });
    }
    std::set<std::string> patch_names;
    for (const auto& rename : namings) {
      NamedTensors renamed;
      for (const auto& [name, value] : stored_tensors(variant)) renamed.emplace_back(rename(name), value);
      const Folder folder;
      fixtures::write_directory(folder.path(), renamed, variant);
      fixtures::expect_same_parameters(*load_vlm(folder.path(), at::kFloat), *expected);
      patch_names.insert(rename("vision_tower.vision_model.embeddings.patch_embedding.weight"));
    }
    EXPECT_EQ(patch_names,
              (std::set<std::string>{"model.vision_tower.embeddings.patch_embedding.weight",
                                     "model.vision_tower.vision_model.embeddings.patch_embedding.weight",
                                     "model.vision_tower.vision_tower.vision_model.embeddings.patch_embedding.weight",
                                     "vision_tower.embeddings.patch_embedding.weight",
                                     "vision_tower.vision_model.embeddings.patch_embedding.weight"}));
  }
}

TEST(LlavaOnevisionNames, OfThePoolingHeadAreNotNeeded) {
  for (const std::string prefix :
       {"vision_tower.vision_model.", "vision_tower.", "model.vision_tower.vision_tower.vision_model.",
        "model.vision_tower.vision_model.", "model.vision_tower."}) {
    auto tensors = stored_tensors(kTied);
    tensors.emplace_back(prefix + "head.probe", at::ones({1, 1, 16}));
    tensors.emplace_back(prefix + "head.attention.in_proj_weight", at::ones({48, 16}));
    const Folder folder;
    fixtures::write_directory(folder.path() / "more", tensors, kTied);
    const auto model = load_vlm(folder.path() / "more", at::kFloat);
    fixtures::expect_same_parameters(*model, *load_vlm(fixtures::directory(kTied), at::kFloat));
    save_vlm(folder.path() / "saved", *model, at::kFloat, {});
    EXPECT_EQ(Checkpoint::open(folder.path() / "saved").names(), Checkpoint::open(fixtures::directory(kTied)).names());
  }
}

TEST(LlavaOnevisionNames, AreReadFromFloat16AndBfloat16) {
  for (const auto dtype : {at::kHalf, at::kBFloat16}) {
    NamedTensors narrow, wide;
    for (const auto& [name, value] : stored_tensors(kTied)) {
      narrow.emplace_back(name, value.to(dtype));
      wide.emplace_back(name, value.to(dtype).to(at::kFloat));
    }
    const Folder folder;
    fixtures::write_directory(folder.path() / "narrow", narrow, kTied);
    fixtures::write_directory(folder.path() / "wide", wide, kTied);
    fixtures::expect_same_parameters(*load_vlm(folder.path() / "narrow", at::kFloat),
                                     *load_vlm(folder.path() / "wide", at::kFloat));
  }
}

TEST(LlavaOnevisionNames, OfUnknownTensorsAreReported) {
  auto tensors = stored_tensors(kTied);
  tensors.emplace_back("vision_tower.vision_model.headless", at::ones({2}));
  const Folder folder;
  fixtures::write_directory(folder.path(), tensors, kTied);
  expect_error([&] { load_vlm(folder.path(), at::kFloat); }, {"unexpected vision_tower.vision_model.headless"});
}

/// Those that `directory` holds are the model's.
void expect_same_adapters(const Vlm& model, const std::filesystem::path& directory) {
  const auto again = load_vlm(fixtures::directory(kTied), at::kFloat);
  load_adapter(*again, directory);
  fixtures::expect_same_parameters(*again, model);
}

TEST(LlavaOnevisionAdapters, AreOfTheDecoderAloneInEveryNaming) {
  const auto model = load_vlm(fixtures::directory(kTied), at::kFloat);
  model->add_lora(2, 4, {"q_proj", "v_proj", "down_proj"}, /*seed=*/1, "test");
  int num_adapters = 0;
  for (const auto& [name, value] : model->named_parameters()) {
    if (part_of(name) != "lora") continue;
    ++num_adapters;
    EXPECT_TRUE(name.starts_with("decoder.layers.")) << name;
  }
  EXPECT_EQ(num_adapters, 3 * 3 * 2);
  for (const auto& [naming, prefix] :
       {std::pair("gen-1", "language_model.model.layers."), std::pair("gen-2", "model.language_model.layers."),
        std::pair("lmms-lab", "model.layers.")}) {
    SCOPED_TRACE(naming);
    const Folder folder;
    const auto out = folder.path() / "adapter";
    save_adapter(out, *model, "base", naming);
    // SigLIP has maps of these names, too: whole paths leave them out.
    auto config = read_json(out / "adapter_config.json");
    EXPECT_EQ(config["target_modules"].size(), 9U);
    for (const std::string target : config["target_modules"]) EXPECT_TRUE(target.starts_with(prefix)) << target;
    const auto file = SafetensorsFile::open(out / "adapter_model.safetensors");
    for (const auto& [name, info] : file->tensors())
      EXPECT_TRUE(name.starts_with(concat("base_model.model.", prefix))) << name;
    expect_same_adapters(*model, out);

    config["target_modules"] = naming == std::string("lmms-lab") ? R"(model\.layers.*\.(q_proj|v_proj|down_proj))"
                                                                 : R"(.*language_model.*\.(q_proj|v_proj|down_proj))";
    write_json(out / "adapter_config.json", OrderedJson(config));
    expect_same_adapters(*model, out);
  }
}

}  // namespace
}  // namespace vlsi
