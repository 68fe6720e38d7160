// Damaged models and checkpoints, full disks, places that cannot be written: one line, and nothing else is harmed.
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

fs::path copy_of_student(const Folder& folder) {
  fs::copy(model("student"), folder / "model", fs::copy_options::recursive);
  return folder / "model";
}

Result generate(const fs::path& directory) {
  return vlsi_program({"generate", "--model", directory, "--prompt", "x", "--max-new-tokens", "1"});
}

const Arguments kLastLayerAlone{"--only", "interact", "--set", "interact.intermediate_loss=none"};

Result resume(const Folder& folder) {
  auto arguments = kLastLayerAlone;
  arguments.emplace_back("--resume");
  return distill(folder, arguments);
}

TEST(DamagedModel, IsRefusedInOneLineNamingTheFile) {
  const std::vector<std::tuple<std::string, std::function<void(const fs::path&)>, std::vector<std::string>>> cases{
      {"no weights", [](const fs::path& d) { fs::remove(d / "model.safetensors"); }, {"model.safetensors"}},
      {"cut-off weights", [](const fs::path& d) { fs::resize_file(d / "model.safetensors", fs::file_size(d / "model.safetensors") - 100); }, {"model.safetensors"}},
      {"cut-off header", [](const fs::path& d) { fs::resize_file(d / "model.safetensors", 100); }, {"model.safetensors"}},
      {"empty weights", [](const fs::path& d) { fs::resize_file(d / "model.safetensors", 0); }, {"model.safetensors"}},
      {"broken config", [](const fs::path& d) { fs::resize_file(d / "config.json", 50); }, {"config.json:3:28", "missing closing quote"}},
      {"no config", [](const fs::path& d) { fs::remove(d / "config.json"); }, {"config.json"}},
      {"broken tokenizer", [](const fs::path& d) { fs::resize_file(d / "tokenizer.json", 200); }, {"tokenizer.json:11:10"}},
      {"no tokenizer", [](const fs::path& d) { fs::remove(d / "tokenizer.json"); }, {"tokenizer.json"}},
      {"a token without a row", [](const fs::path& d) {
         auto tokenizer = content_of(d / "tokenizer.json");
         replace(tokenizer, "\"added_tokens\": [", R"("added_tokens": [{"id": 320, "content": "<|far|>", "single_word": false,
                 "lstrip": false, "rstrip": false, "normalized": false, "special": true},)");
         write_text(d / "tokenizer.json", tokenizer);
       }, {"ids up to 320", "320 rows"}},
      {"no image settings", [](const fs::path& d) { fs::remove(d / "preprocessor_config.json"); }, {"preprocessor_config.json"}},
      {"broken generation settings", [](const fs::path& d) { write_text(d / "generation_config.json", R"({"eos_token_id": "x"})"); }, {"generation_config.json", "eos_token_id"}},
      {"another width", [](const fs::path& d) {
         auto config = content_of(d / "config.json");
         replace(config, "\"intermediate_size\": 64", "\"intermediate_size\": 65");
         write_text(d / "config.json", config);
       }, {"model.layers.0.mlp.gate_proj.weight", "65", "64"}},
      {"another depth", [](const fs::path& d) {
         auto config = content_of(d / "config.json");
         replace(config, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
         write_text(d / "config.json", config);
       }, {"missing model.layers.2"}},
      {"another family", [](const fs::path& d) {
         auto config = content_of(d / "config.json");
         replace(config, "\"model_type\": \"qwen2_vl\"", "\"model_type\": \"gpt7\"");
         write_text(d / "config.json", config);
       }, {"gpt7", "qwen2_vl"}}};
  for (const auto& [name, damage, parts] : cases) {
    SCOPED_TRACE(name);
    const Folder folder;
    const auto directory = copy_of_student(folder);
    damage(directory);
    expect_refusal(generate(directory), parts);
  }
}

TEST(DamagedModel, ThatIsNotThereAtAllIsNamed) { expect_refusal(generate("/nowhere/model"), {"/nowhere/model"}); }

TEST(DamagedCheckpoint, IsRefused) {
  const Folder folder;
  ASSERT_EQ(distill(folder, kLastLayerAlone).status, 0);
  const auto checkpoint = folder / "run/checkpoints/interact-5";
  const auto tensors = content_of(checkpoint / "tensors.safetensors"), state = content_of(checkpoint / "state.json");

  write_text(checkpoint / "tensors.safetensors", tensors.substr(0, tensors.size() / 2));
  expect_refusal(resume(folder), {"tensors.safetensors"});

  // The same bytes under another shape, and under another name: the first tensor of the decoder's first layer.
  const std::string name = "parameter.model.layers.0.mlp.down_proj.weight";
  auto misshapen = tensors;
  const auto entry = misshapen.find("\"" + name + "\"");
  ASSERT_NE(entry, std::string::npos);
  const auto shape = misshapen.find("[32,64]", entry);
  ASSERT_NE(shape, std::string::npos);
  misshapen.replace(shape, 7, "[64,32]");
  write_text(checkpoint / "tensors.safetensors", misshapen);
  expect_refusal(resume(folder), {name, "[64, 32]", "[32, 64]"});

  auto renamed = tensors;
  replace(renamed, "\"" + name + "\"", "\"parameter.model.layers.9.mlp.down_proj.weight\"");
  write_text(checkpoint / "tensors.safetensors", renamed);
  expect_refusal(resume(folder), {name});

  write_text(checkpoint / "tensors.safetensors", tensors);
  write_text(checkpoint / "state.json", state.substr(0, state.size() / 2));
  expect_refusal(resume(folder), {"state.json"});

  auto negative = state;
  replace(negative, "\"iteration\": 5", "\"iteration\": -5");
  write_text(checkpoint / "state.json", negative);
  expect_refusal(resume(folder), {"state.json", "negative"});

  write_text(checkpoint / "state.json", state);
  const auto metrics = content_of(folder / "run/metrics.jsonl");
  write_text(folder / "run/metrics.jsonl", metrics.substr(0, 100));
  expect_refusal(resume(folder), {"metrics.jsonl", "100"});

  write_text(folder / "run/metrics.jsonl", metrics);
  EXPECT_EQ(resume(folder).status, 0) << "what was put back is whole again";
}

TEST(UnwritableOutput, IsRefusedBeforeTheWork) {
  const Folder folder;
  write_text(folder / "file", "mine");
  expect_refusal(vlsi_program({"distill", write_run(folder), "--set", "out=" + (folder / "file/run").string()}), {(folder / "file/run").string()});
  expect_refusal(vlsi_program({"distill", write_run(folder), "--set", "out=" + (folder / "file").string()}), {(folder / "file").string()});
  expect_refusal(vlsi_program({"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"), "--out", folder / "file/model"}), {"file"});
  expect_refusal(vlsi_program({"score", "--model", model("student"), "--data", tiny("train.json"), "--out", folder / "file/scores.jsonl"}), {"scores.jsonl"});
  expect_refusal(vlsi_program({"answer", "--model", model("student"), "--data", tiny("train.json"), "--out", folder / "none/answers.json"}), {"answers.json"});
  expect_refusal(vlsi_program({"evaluate", "--model", model("student"), "--benchmark", "easy-vqa", "--data", tiny("train.json"), "--out", folder / "file"}), {"file"});
  EXPECT_EQ(content_of(folder / "file"), "mine");
}

TEST(FullDisk, EndsARunWithAMessageAndTheEarlierCheckpointStays) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  const auto checkpoint = folder / "run/checkpoints/verbalize-teacher-4/tensors.safetensors";
  const auto before = content_of(checkpoint);
  Program program({"distill", write_run(folder), "--resume"}, {.file_size_limit = 100'000});
  const auto result = program.wait();
  EXPECT_EQ(result.status, 2) << result.err;
  EXPECT_NE(result.err.find("File too large"), std::string::npos) << result.err;
  EXPECT_TRUE(content_of(checkpoint) == before);
  EXPECT_FALSE(fs::exists(folder / "run/model"));

  const Folder whole;
  ASSERT_EQ(distill(folder, {"--resume"}).status, 0);
  ASSERT_EQ(distill(whole).status, 0);
  expect_same_run(folder / "run", whole / "run");
}

TEST(FullDisk, LeavesEarlierScoresAlone) {
  const Folder folder;
  write_text(folder / "scores.jsonl", "earlier\n");
  const auto result = vlsi_program({"score", "--model", model("student"), "--data", tiny("train.json"), "--out", folder / "scores.jsonl"}, {.file_size_limit = 500});
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("scores.jsonl"), std::string::npos) << result.err;
  EXPECT_EQ(content_of(folder / "scores.jsonl"), "earlier\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "a temporary file was left";
}

TEST(FullDisk, LeavesNoHalfModel) {
  const Folder folder;
  const auto result = vlsi_program({"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"), "--out", folder / "model"}, {.file_size_limit = 20'000});
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("model"), std::string::npos) << result.err;
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace vlsi::cli_test
