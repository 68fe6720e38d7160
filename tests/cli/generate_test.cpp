// One answer to one prompt: what is followed of the model's generation_config.json.
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

Result answer(const std::string& directory, const Arguments& more) {
  Arguments arguments{"generate", "--model", directory, "--prompt", "what is it?", "--max-new-tokens", "2", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return vlsi_program(arguments);
}

TEST(Generate, IsHeldToTheSettingsThatItUses) {
  const Folder folder;
  std::filesystem::copy(model("student"), folder / "model", std::filesystem::copy_options::recursive);
  folder.write("model/generation_config.json", R"({"do_sample": true, "num_beams": 4})");
  expect_refusal(answer(folder / "model", {}), {"generation_config.json", "num_beams is 4, expected 1 with sampling"});
  for (const Arguments& more : {Arguments{"--greedy"}, Arguments{"--temperature", "0"}}) {
    const auto result = answer(folder / "model", more);
    EXPECT_EQ(result.status, 0) << result.err;
  }
  const auto scored = vlsi_program(
      {"score", "--model", folder / "model", "--data", tiny("train.json"), "--out", folder / "scores.jsonl"});
  EXPECT_EQ(scored.status, 0) << scored.err;
}

TEST(Generate, WarnsOfSettingsThatHaveNoEffect) {
  const Folder folder;
  std::filesystem::copy(model("student"), folder / "model", std::filesystem::copy_options::recursive);
  folder.write("model/generation_config.json", R"({"min_length": 3, "max_length": 64, "num_return_sequences": 1,
      "renormalize_logits": true, "force_words_ids": [[1]], "constraints": [1], "watermarking_config": {"bias": 2},
      "dola_layers": "high"})");
  const auto result = vlsi_program({"generate", "--model", folder / "model", "--prompt", "what is it?"});
  EXPECT_EQ(result.status, 0) << result.err;
  for (const char* key : {"min_length", "max_length", "renormalize_logits", "force_words_ids", "constraints",
                          "watermarking_config", "dola_layers"}) {
    EXPECT_NE(result.err.find(concat("key '", key, "' has no effect here")), std::string::npos) << result.err;
  }
  EXPECT_EQ(result.err.find("num_return_sequences"), std::string::npos) << result.err;
}

TEST(Generate, RefusesASeedThatIsNoWholeNumber) {
  for (const char* seed : {"-1", "99999999999999999999"}) {
    EXPECT_EQ(answer(model("student"), {"--seed", seed}).status, 2) << seed;
  }
}

TEST(Generate, TakesMoreBeamsThanAreDecodedAtOnceElsewhere) {
  const auto result = answer(model("student"), {"--num-beams", "40"});
  EXPECT_EQ(result.status, 0) << result.err;
}

}  // namespace
}  // namespace vlsi::cli_test
