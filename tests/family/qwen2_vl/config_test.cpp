// Every layout of config.json in circulation, and every way in which one can be wrong.
#include "family/qwen2_vl/config.h"

#include "base/atomic_file.h"
#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

Json flat() { return read_json(fixtures::directory("tied") / "config.json"); }

const std::vector<const char*> kTextKeys{"hidden_size",         "intermediate_size",   "num_hidden_layers",
                                         "num_attention_heads", "num_key_value_heads", "max_position_embeddings",
                                         "rms_norm_eps",        "rope_theta",          "rope_scaling",
                                         "vocab_size",          "tie_word_embeddings"};

/// The flat file with its text fields below text_config; kept at the top as well, or moved.
Json with_text_config(bool keep_flat) {
  Json json = flat(), text{{"model_type", "qwen2_vl_text"}};
  for (const char* key : kTextKeys) {
    text[key] = json[key];
    if (!keep_flat) json.erase(key);
  }
  json["text_config"] = text;
  return json;
}

Json parsed(const Json& json) { return write_qwen2_vl_config(parse_model_config(json, "config"), "float32"); }

TEST(ModelConfig, ReadsTheFlatLayout) {
  const auto config = parse_model_config(flat(), "config");
  EXPECT_EQ(config.text.hidden_size, 48);
  EXPECT_EQ(config.text.num_hidden_layers, 3);
  EXPECT_EQ(config.text.num_attention_heads, 4);
  EXPECT_EQ(config.text.num_key_value_heads, 2);
  EXPECT_EQ(config.text.vocab_size, 128);
  EXPECT_EQ(config.text.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.text.rope_sections, (std::vector<int64_t>{2, 2, 2}));
  EXPECT_TRUE(config.text.tie_word_embeddings);
  EXPECT_EQ(own_config<Qwen2VlConfig>(config).depth, 2);
  EXPECT_EQ(own_config<Qwen2VlConfig>(config).embed_dim, 16);
  EXPECT_EQ(own_config<Qwen2VlConfig>(config).mlp_size(), 32);
  EXPECT_EQ(own_config<Qwen2VlConfig>(config).patch_values(), 3 * 2 * 8 * 8);
  EXPECT_EQ(own_config<Qwen2VlConfig>(config).merged_size(), 64);
  EXPECT_EQ(config.bos_token_id, 120);
  EXPECT_EQ(config.eos_token_ids, std::vector<int64_t>{122});
  EXPECT_EQ(config.image_token_id, 126);
}

TEST(ModelConfig, ReadsOneEndTokenOrSeveral) {
  Json json = flat();
  json["eos_token_id"] = {122, 121};
  const auto several = parse_model_config(json, "config");
  EXPECT_EQ(several.eos_token_ids, (std::vector<int64_t>{122, 121}));
  EXPECT_EQ(Json(write_qwen2_vl_config(several, "float32"))["eos_token_id"], Json({122, 121}));
  json["eos_token_id"] = Json::array({121});
  EXPECT_EQ(Json(write_qwen2_vl_config(parse_model_config(json, "config"), "float32"))["eos_token_id"], 121);
  json["text_config"]["eos_token_id"] = {120, 122};
  EXPECT_EQ(parse_model_config(json, "config").eos_token_ids, (std::vector<int64_t>{120, 122}));
  json["text_config"]["eos_token_id"] = nullptr;
  EXPECT_EQ(parse_model_config(json, "config").eos_token_ids, std::vector<int64_t>{121});
  for (const Json& wrong : {Json::array(), Json("end"), Json::array({"end"}), Json(1.5)}) {
    json["eos_token_id"] = wrong;
    expect_error([&] { parse_model_config(json, "config"); }, {"config: key 'eos_token_id"});
  }
}

TEST(ModelConfig, ReadsTheSameFromEveryLayout) {
  const Json expected = parsed(flat());
  EXPECT_EQ(parsed(with_text_config(/*keep_flat=*/true)), expected) << "flat with text_config";
  EXPECT_EQ(parsed(with_text_config(/*keep_flat=*/false)), expected) << "text_config only";

  Json nested = with_text_config(/*keep_flat=*/false);
  auto& text = nested["text_config"];
  text["rope_parameters"] = {
      {"rope_type", "default"}, {"type", "mrope"}, {"rope_theta", text["rope_theta"]}, {"mrope_section", {2, 2, 2}}};
  text.erase("rope_scaling");
  text.erase("rope_theta");
  nested["dtype"] = "float32";
  nested.erase("torch_dtype");
  nested["vision_config"]["rope_parameters"] = {{"rope_type", "axial"}, {"rope_theta", 10000.0}};
  EXPECT_EQ(parsed(nested), expected) << "nested with rope_parameters";
}

TEST(ModelConfig, ReadsMropeUnderEveryNameOfItsType) {
  const Json expected = parsed(flat());
  for (const char* rope : {R"({"type": "default", "mrope_section": [2, 2, 2]})", R"({"mrope_section": [2, 2, 2]})",
                           R"({"rope_type": "default", "mrope_section": [2, 2, 2]})",
                           R"({"type": "mrope", "rope_type": "default", "mrope_section": [2, 2, 2]})"}) {
    Json json = flat();
    json["rope_scaling"] = Json::parse(rope);
    EXPECT_EQ(parsed(json), expected) << rope;
  }
}

TEST(ModelConfig, FillsWhatAPrunedFileLeavesOutFromTheClassDefaults) {
  const auto large = parse_model_config(
      Json::parse(R"({"model_type": "qwen2_vl", "vision_config": {"hidden_size": 8192, "in_chans": 3}})"), "config");
  EXPECT_EQ(large.text.hidden_size, 8192);
  EXPECT_EQ(large.text.num_hidden_layers, 80);
  EXPECT_EQ(large.text.vocab_size, 152064);
  EXPECT_EQ(large.text.rms_norm_eps, 1e-5);
  EXPECT_EQ(large.text.rope_sections, (std::vector<int64_t>{16, 24, 24}));
  EXPECT_FALSE(large.text.tie_word_embeddings);
  EXPECT_EQ(large.image_token_id, 151655);

  const auto middle = parse_model_config(
      Json::parse(
          R"({"model_type": "qwen2_vl", "hidden_size": 3584, "num_attention_heads": 28, "num_key_value_heads": 4})"),
      "config");
  EXPECT_EQ(own_config<Qwen2VlConfig>(middle).hidden_size, 3584);
  EXPECT_EQ(own_config<Qwen2VlConfig>(middle).depth, 32);
  EXPECT_EQ(own_config<Qwen2VlConfig>(middle).embed_dim, 1280);
  EXPECT_EQ(own_config<Qwen2VlConfig>(middle).mlp_size(), 5120);
  EXPECT_EQ(own_config<Qwen2VlConfig>(middle).patch_values(), 1176);
}

TEST(ModelConfig, IsTiedWhenEitherPlaceSaysSo) {
  const auto tied = [](const Json& top, const Json& inner) {
    Json json = with_text_config(/*keep_flat=*/false);
    json["tie_word_embeddings"] = top;
    json["text_config"]["tie_word_embeddings"] = inner;
    return parse_model_config(json, "config").text.tie_word_embeddings;
  };
  EXPECT_TRUE(tied(true, false));
  EXPECT_TRUE(tied(false, true));
  EXPECT_TRUE(tied(nullptr, true));
  EXPECT_FALSE(tied(false, nullptr));
}

TEST(ModelConfig, WritesAFileThatReadsBackAndSaysWhatOldReadersAsk) {
  const auto config = load_model_config(fixtures::directory("untied"));
  const Json written = write_qwen2_vl_config(config, "bfloat16");
  EXPECT_EQ(Json(write_qwen2_vl_config(parse_model_config(written, "config"), "bfloat16")), written);
  const Json original = read_json(fixtures::directory("untied") / "config.json");
  for (const auto& [key, value] : original.items()) {
    if (key == "vision_config" || key == "torch_dtype") continue;
    EXPECT_EQ(written.at(key), value) << key;
  }
  for (const auto& [key, value] : original["vision_config"].items()) {
    EXPECT_EQ(written["vision_config"].at(key), value) << key;
  }
  EXPECT_EQ(written["torch_dtype"], "bfloat16");
  EXPECT_EQ(written["rope_scaling"]["type"], "mrope");
}

struct BadConfig {
  const char* pointer;  // where the flat file is changed
  Json value;
  std::string expected;  // in the message
};

class BadConfigs : public testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, AreErrorsThatNameFileAndKey) {
  Json json = flat();
  json[Json::json_pointer(GetParam().pointer)] = GetParam().value;
  const auto message = message_of([&] { parse_model_config(json, "some/config.json"); });
  EXPECT_NE(message.find("some/config.json"), std::string::npos) << message;
  EXPECT_NE(message.find(GetParam().expected), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadConfigs,
    testing::Values(
        BadConfig{"/model_type", "qwen3_vl_moe", "'qwen3_vl_moe', expected one of: qwen2_vl, qwen2_5_vl, qwen3_vl"},
        BadConfig{"/model_type", nullptr, "'model_type' is missing"}, BadConfig{"/model_type", 2, "a string"},
        BadConfig{"/hidden_size", "48", "hidden_size"}, BadConfig{"/hidden_size", 48.5, "hidden_size"},
        BadConfig{"/hidden_size", -48, "hidden_size' is -48"}, BadConfig{"/hidden_size", 0, "hidden_size' is 0"},
        BadConfig{"/hidden_size", 49, "not a multiple of num_attention_heads"},
        BadConfig{"/vocab_size", 9000000000000, "vocab_size' is 9000000000000"},
        BadConfig{"/vocab_size", 18446744073709551615U, "vocab_size"},
        BadConfig{"/vocab_size", 100, "outside the vocabulary of 100 rows"},
        BadConfig{"/num_hidden_layers", 5000, "num_hidden_layers' is 5000"},
        BadConfig{"/num_key_value_heads", 3, "not a multiple of num_key_value_heads"},
        BadConfig{"/num_key_value_heads", 0, "num_key_value_heads"}, BadConfig{"/rms_norm_eps", -1.0, "rms_norm_eps"},
        BadConfig{"/rms_norm_eps", "small", "rms_norm_eps"}, BadConfig{"/rope_theta", 0, "rope_theta"},
        BadConfig{"/tie_word_embeddings", 1, "tie_word_embeddings"}, BadConfig{"/text_config", 5, "text_config"},
        BadConfig{"/rope_scaling", "mrope", "rope_scaling"},
        BadConfig{"/rope_scaling/mrope_section", Json::array({2, 2}), "has 2 entries, expected 3"},
        BadConfig{"/rope_scaling/mrope_section", Json::array({2, 2, 3}), "sums to 7"},
        BadConfig{"/rope_scaling/mrope_section", Json::array({-2, 4, 4}), "entry -2"},
        BadConfig{"/rope_scaling/mrope_section", Json::array({2, 2, "2"}), "mrope_section"},
        BadConfig{"/rope_scaling/type", "yarn", "'rope_scaling.type' is \"yarn\""},
        BadConfig{"/rope_scaling/rope_type", "linear", "'rope_scaling.rope_type' is \"linear\""},
        BadConfig{"/rope_parameters", Json{{"rope_type", "dynamic"}}, "'rope_parameters.rope_type' is \"dynamic\""},
        BadConfig{"/hidden_act", "gelu", "'hidden_act' is \"gelu\""},
        BadConfig{"/text_config", Json{{"hidden_act", "relu"}}, "'hidden_act' is \"relu\""},
        BadConfig{"/vision_config/hidden_act", "silu", "expected \"quick_gelu\""},
        BadConfig{"/head_dim", 16, "head_dim' is 16"},
        BadConfig{"/text_config", Json{{"head_dim", 16}}, "head_dim' is 16"},
        BadConfig{"/layer_types", Json::array({"full_attention", "sliding_attention"}), "\"sliding_attention\""},
        BadConfig{"/quantization_config", Json{{"quant_method", "awq"}}, "quantized (awq)"},
        BadConfig{"/quantization_config", "int4", "quantized (a string)"}, BadConfig{"/image_token_id", -1, "id -1"},
        BadConfig{"/image_token_id", 128, "id 128"}, BadConfig{"/vision_config", Json::array(), "vision_config"},
        BadConfig{"/vision_config/depth", 0, "depth' is 0"},
        BadConfig{"/vision_config/embed_dim", 15, "vision embed_dim 15"},
        BadConfig{"/vision_config/num_heads", 8, "head width 2"},
        BadConfig{"/vision_config/hidden_size", 64, "hidden_size 64 differs"},
        BadConfig{"/vision_config/mlp_ratio", -2, "mlp_ratio is -2"},
        BadConfig{"/vision_config/patch_size", 1000000, "patch_size' is 1000000"},
        BadConfig{"/vision_config/spatial_merge_size", -1, "spatial_merge_size' is -1"}));

TEST(ModelConfig, RefusesAWindowOnlyWhereALayerHasOne) {
  Json json = flat();
  json["use_sliding_window"] = true;
  EXPECT_NO_THROW(parse_model_config(json, "config"));  // max_window_layers is the number of layers in the hub's files
  json["max_window_layers"] = 1;
  EXPECT_NE(message_of([&] {
              parse_model_config(json, "config");
            }).find("'use_sliding_window' is true for the layers from 1 on"),
            std::string::npos);
  json["use_sliding_window"] = false;
  EXPECT_NO_THROW(parse_model_config(json, "config"));
}

TEST(ModelConfig, RefusesAFileThatIsNoObject) {
  EXPECT_NE(message_of([] { parse_model_config(Json::array(), "config"); }).find("expected an object"),
            std::string::npos);
}

TEST(ModelConfig, NamesTheFileItCannotRead) {
  const Folder folder;
  EXPECT_NE(message_of([&] { load_model_config(folder.path()); }).find("config.json"), std::string::npos);
  write_file(folder.path() / "config.json", "{");
  EXPECT_NE(message_of([&] { load_model_config(folder.path()); }).find("config.json"), std::string::npos);
}

}  // namespace
}  // namespace vlsi
