// Every layout of config.json in circulation, and every way in which one can be wrong.
// Expected values: tests/oracle/make_config_fixture.py.
#include "family/llava_onevision/config.h"

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

Json llava_json(const std::string& name) { return read_json(fixtures::directory("llava_onevision/" + name)); }
Json hub_config() { return llava_json("untied/config.json"); }

TEST(LlavaOnevisionConfig, IsReadFromEveryLayoutAsTransformersReadsIt) {
  for (const auto& layout : llava_json("configs.json")) {
    SCOPED_TRACE(layout["name"].get<std::string>());
    const auto config = parse_model_config(layout["config"], "config");
    const Json written = write_llava_onevision_config(config, "float16"), &expected = layout["expected"];
    const auto check = [](const Json& found, const Json& all) {
      for (const auto& [key, value] : all.items()) {
        if (key == "mrope_section") continue;  // none
        EXPECT_EQ(found.at(key), value) << key;
      }
    };
    check(written["text_config"], expected["text"]);
    check(written["vision_config"], expected["vision"]);
    check(written, expected["tokens"]);
    for (const char* key : {"image_grid_pinpoints", "vision_aspect_ratio"})
      EXPECT_EQ(written[key], expected[key]) << key;
    EXPECT_EQ(config.text.rope_sections, std::vector<int64_t>{config.text.head_dim() / 2});
  }
}

TEST(LlavaOnevisionConfig, IsWrittenAsTheHubHasIt) {
  for (const char* name : {"tied", "untied"}) {
    const auto config = load_model_config(fixtures::directory(concat("llava_onevision/", name)));
    const Json written = write_llava_onevision_config(config, "float32");
    EXPECT_EQ(written, llava_json(concat(name, "/config.json")));
    EXPECT_EQ(Json(write_llava_onevision_config(parse_model_config(written, "config"), "float32")), written);
  }
}

/// The 7B model as its authors describe it.
Json authors_config() {
  Json grids = Json::array();
  for (int i = 1; i <= 6; ++i) {
    for (int j = 1; j <= 6; ++j) grids.push_back({384 * i, 384 * j});
  }
  return {{"model_type", "llava_qwen"},
          {"architectures", {"LlavaQwenForCausalLM"}},
          {"bos_token_id", 151643},
          {"eos_token_id", 151645},
          {"hidden_act", "silu"},
          {"hidden_size", 3584},
          {"image_aspect_ratio", "anyres_max_9"},
          {"image_grid_pinpoints", grids},
          {"image_token_index", 151646},
          {"initializer_range", 0.02},
          {"intermediate_size", 18944},
          {"max_position_embeddings", 32768},
          {"max_window_layers", 28},
          {"mm_hidden_size", 1152},
          {"mm_newline_position", "one_token"},
          {"mm_patch_merge_type", "spatial_unpad"},
          {"mm_projector_type", "mlp2x_gelu"},
          {"mm_spatial_pool_mode", "bilinear"},
          {"mm_use_im_start_end", false},
          {"mm_vision_select_layer", -2},
          {"mm_vision_tower", "google/siglip-so400m-patch14-384"},
          {"num_attention_heads", 28},
          {"num_hidden_layers", 28},
          {"num_key_value_heads", 4},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 1e6},
          {"sliding_window", 131072},
          {"tie_word_embeddings", false},
          {"torch_dtype", "bfloat16"},
          {"use_sliding_window", false},
          {"vocab_size", 152064}};
}

TEST(LlavaOnevisionConfig, ReadsTheFlatLayoutOfTheModelsAuthors) {
  for (const char* type : {"llava_qwen", "llava"}) {
    Json json = authors_config();
    json["model_type"] = type;
    const auto config = parse_model_config(json, "config");
    const auto& own = own_config<LlavaOnevisionConfig>(config);
    EXPECT_EQ(config.family, "llava_onevision");
    EXPECT_EQ(config.text.hidden_size, 3584);
    EXPECT_EQ(config.text.vocab_size, 152064);
    EXPECT_EQ(config.text.rope_theta, 1e6);
    EXPECT_EQ(config.text.rope_sections, std::vector<int64_t>{64});
    EXPECT_EQ(config.image_token_id, 151646);
    EXPECT_EQ(own.tower_text(), "26 layers x 1152, heads 16, views of 384 pixels, patch 14");
    EXPECT_EQ(own.intermediate_size, 4304);
    EXPECT_EQ(own.text_hidden_size, 3584);
    EXPECT_EQ(own.max_views, 9);
    EXPECT_EQ(own.grid_pixels.size(), 36U);
  }
  Json wide = authors_config();
  wide["image_grid_pinpoints"] = {{768, 384}};  // width, height
  EXPECT_EQ(own_config<LlavaOnevisionConfig>(parse_model_config(wide, "config")).grid_pixels.front(),
            (std::pair<int64_t, int64_t>(384, 768)));
}

struct BadLlavaConfig {
  const char* pointer;  // where the file is changed
  Json value;
  std::string expected;  // in the message
  bool is_flat = false;
};

class BadLlavaOnevisionConfigs : public testing::TestWithParam<BadLlavaConfig> {};

TEST_P(BadLlavaOnevisionConfigs, AreErrorsThatNameFileAndKey) {
  Json json = GetParam().is_flat ? authors_config() : hub_config();
  json[Json::json_pointer(GetParam().pointer)] = GetParam().value;
  expect_error([&] { parse_model_config(json, "some/config.json"); }, {"some/config.json", GetParam().expected});
}

INSTANTIATE_TEST_SUITE_P(
    All, BadLlavaOnevisionConfigs,
    testing::Values(BadLlavaConfig{"/vision_feature_layer", -2,
                                   "'vision_feature_layer' is -2, which is not supported; expected -1"},
                    BadLlavaConfig{"/vision_feature_layer", Json::array({-1, -2}), "'vision_feature_layer' is [-1,-2]"},
                    BadLlavaConfig{"/vision_feature_select_strategy", "default",
                                   "'vision_feature_select_strategy' is \"default\""},
                    BadLlavaConfig{"/projector_hidden_act", "relu", "'projector_hidden_act' is \"relu\""},
                    BadLlavaConfig{"/multimodal_projector_bias", false, "'multimodal_projector_bias' is false"},
                    BadLlavaConfig{"/use_image_newline_parameter", false, "'use_image_newline_parameter' is false"},
                    BadLlavaConfig{"/vision_aspect_ratio", "anyres", "'vision_aspect_ratio' is \"anyres\""},
                    BadLlavaConfig{"/vision_aspect_ratio", "anyres_max_0", "\"anyres_max_0\""},
                    BadLlavaConfig{"/vision_aspect_ratio", "anyres_max_9x", "\"anyres_max_9x\""},
                    BadLlavaConfig{"/vision_aspect_ratio", "anyres_max_", "\"anyres_max_\""},
                    BadLlavaConfig{"/image_grid_pinpoints", "28", "'image_grid_pinpoints' is a string"},
                    BadLlavaConfig{"/image_grid_pinpoints", Json::array(), "expected a list of 1 to"},
                    BadLlavaConfig{"/image_grid_pinpoints", Json::array({14}), "holds 14, expected pairs"},
                    BadLlavaConfig{"/image_grid_pinpoints", Json::parse("[[14, 20]]"),
                                   "holds [14,20], expected 1 to 64 times the 14"},
                    BadLlavaConfig{"/image_grid_pinpoints", Json::parse("[[14, 0]]"), "holds [14,0]"},
                    BadLlavaConfig{"/image_grid_pinpoints", Json::parse("[[14, 1400]]"), "holds [14,1400]"},
                    BadLlavaConfig{"/image_token_index", 64, "image token id 64 is outside the vocabulary of 64 rows"},
                    BadLlavaConfig{"/text_config/model_type", "llama", "'model_type' is \"llama\""},
                    BadLlavaConfig{"/text_config/hidden_act", "gelu", "'hidden_act' is \"gelu\""},
                    BadLlavaConfig{"/vision_config", 5, "'vision_config'"},
                    BadLlavaConfig{"/vision_config/model_type", "clip_vision_model", "\"clip_vision_model\""},
                    BadLlavaConfig{"/vision_config/hidden_act", "quick_gelu", "\"quick_gelu\""},
                    BadLlavaConfig{"/vision_config/num_attention_heads", 5, "not a multiple of num_attention_heads 5"},
                    BadLlavaConfig{"/vision_config/layer_norm_eps", 0, "layer_norm_eps must be positive"},
                    BadLlavaConfig{"/vision_config/patch_size", 15, "patch_size 15 is larger than image_size 14"},
                    BadLlavaConfig{"/vision_config/num_hidden_layers", 0, "num_hidden_layers' is 0"},
                    BadLlavaConfig{"/mm_vision_tower", nullptr, "'mm_vision_tower' is missing", true},
                    BadLlavaConfig{"/mm_vision_tower", "openai/clip-vit-large-patch14-336", "clip-vit-large", true},
                    BadLlavaConfig{"/mm_projector_type", "linear", "'mm_projector_type' is \"linear\"", true},
                    BadLlavaConfig{"/mm_patch_merge_type", "flat", "'mm_patch_merge_type' is \"flat\"", true},
                    BadLlavaConfig{"/mm_use_im_start_end", true, "'mm_use_im_start_end' is true", true},
                    BadLlavaConfig{"/image_aspect_ratio", "pad", "'image_aspect_ratio' is \"pad\"", true}));

TEST(LlavaOnevisionConfig, IsNotThatOfTheFirstLlava) {
  const Json json{{"model_type", "llava"},
                  {"image_token_index", 32000},
                  {"text_config", {{"model_type", "llama"}, {"vocab_size", 32064}}},
                  {"vision_config", {{"model_type", "clip_vision_model"}, {"image_size", 336}}}};
  expect_error([&] { parse_model_config(json, "some/config.json"); },
               {"some/config.json: key 'model_type' is \"llava\" in a file with 'vision_config', which is of LLaVA-1.5",
                "expected \"llava_onevision\", or lmms-lab's flat file with 'mm_vision_tower'"});
}

TEST(LlavaOnevisionConfig, HasWindowsBehindTheClassesLayer28WhereItSaysSoAlone) {
  Json json = authors_config();
  json.erase("max_window_layers");
  json["use_sliding_window"] = true;
  EXPECT_NO_THROW(parse_model_config(json, "config"));
  json["num_hidden_layers"] = 80;
  expect_error([&] { parse_model_config(json, "config"); }, {"'use_sliding_window' is true for the layers from 28 on"});
}

}  // namespace
}  // namespace vlsi
