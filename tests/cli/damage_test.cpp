// Damaged models and checkpoints, places that cannot be written: one line, and nothing else is harmed.
#include <ATen/ATen.h>

#include <limits>

#include "base/safetensors_writer.h"
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
      {"cut-off weights",
       [](const fs::path& d) {
         fs::resize_file(d / "model.safetensors", fs::file_size(d / "model.safetensors") - 100);
       },
       {"model.safetensors"}},
      {"cut-off header",
       [](const fs::path& d) { fs::resize_file(d / "model.safetensors", 100); },
       {"model.safetensors"}},
      {"empty weights", [](const fs::path& d) { fs::resize_file(d / "model.safetensors", 0); }, {"model.safetensors"}},
      {"broken config",
       [](const fs::path& d) { fs::resize_file(d / "config.json", 50); },
       {"config.json:3:28", "missing closing quote"}},
      {"no config", [](const fs::path& d) { fs::remove(d / "config.json"); }, {"config.json"}},
      {"broken tokenizer",
       [](const fs::path& d) { fs::resize_file(d / "tokenizer.json", 200); },
       {"tokenizer.json:11:10"}},
      {"no tokenizer", [](const fs::path& d) { fs::remove(d / "tokenizer.json"); }, {"tokenizer.json"}},
      {"a token without a row",
       [](const fs::path& d) {
         auto tokenizer = content_of(d / "tokenizer.json");
         replace(tokenizer, "\"added_tokens\": [",
                 R"("added_tokens": [{"id": 320, "content": "<|far|>", "single_word": false,
                 "lstrip": false, "rstrip": false, "normalized": false, "special": true},)");
         write_text(d / "tokenizer.json", tokenizer);
       },
       {"ids up to 320", "320 rows"}},
      {"other patches",
       [](const fs::path& d) {
         auto settings = content_of(d / "preprocessor_config.json");
         replace(settings, "\"patch_size\": 8", "\"patch_size\": 14");
         write_text(d / "preprocessor_config.json", settings);
       },
       {"patch_size of its picture settings is 14", "vision tower 8"}},
      {"other frames",
       [](const fs::path& d) {
         auto settings = content_of(d / "preprocessor_config.json");
         replace(settings, "\"temporal_patch_size\": 2", "\"temporal_patch_size\": 1");
         write_text(d / "preprocessor_config.json", settings);
       },
       {"temporal_patch_size of its picture settings is 1", "vision tower 2"}},
      {"another merge",
       [](const fs::path& d) {
         auto settings = content_of(d / "preprocessor_config.json");
         replace(settings, "\"merge_size\": 2", "\"merge_size\": 4");
         write_text(d / "preprocessor_config.json", settings);
       },
       {"merge_size of its picture settings is 4", "vision tower 2"}},
      {"another picture token",
       [](const fs::path& d) {
         auto config = content_of(d / "config.json");
         replace(config, "\"image_token_id\": 318", "\"image_token_id\": 5");
         write_text(d / "config.json", config);
       },
       {"has the id 318", "image_token_id 5"}},
      {"no image settings",
       [](const fs::path& d) { fs::remove(d / "preprocessor_config.json"); },
       {"preprocessor_config.json"}},
      {"broken generation settings",
       [](const fs::path& d) { write_text(d / "generation_config.json", R"({"eos_token_id": "x"})"); },
       {"generation_config.json", "eos_token_id"}},
      {"no end of answers",
       [](const fs::path& d) { write_text(d / "generation_config.json", R"({"eos_token_id": []})"); },
       {"generation_config.json", "an empty list"}},
      {"an end outside the vocabulary",
       [](const fs::path& d) { write_text(d / "generation_config.json", R"({"eos_token_id": [314, 320]})"); },
       {"'eos_token_id' has 320", "320 rows"}},
      {"another width",
       [](const fs::path& d) {
         auto config = content_of(d / "config.json");
         replace(config, "\"intermediate_size\": 64", "\"intermediate_size\": 65");
         write_text(d / "config.json", config);
       },
       {"model.layers.{0-1}.mlp.gate_proj.weight is [64, 32], expected [65, 32]"}},
      {"another depth",
       [](const fs::path& d) {
         auto config = content_of(d / "config.json");
         replace(config, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
         write_text(d / "config.json", config);
       },
       {"missing model.layers.2"}},
      {"another family",
       [](const fs::path& d) {
         auto config = content_of(d / "config.json");
         replace(config, "\"model_type\": \"qwen2_vl\"", "\"model_type\": \"gpt7\"");
         write_text(d / "config.json", config);
       },
       {"gpt7", "qwen2_vl"}}};
  for (const auto& [name, damage, parts] : cases) {
    SCOPED_TRACE(name);
    const Folder folder;
    const auto directory = copy_of_student(folder);
    damage(directory);
    expect_refusal(generate(directory), parts);
  }
}

TEST(DamagedModel, WithAWeightThatIsNoNumberIsRefusedByEveryCommandThatReadsIt) {
  const Folder folder;
  const auto directory = copy_of_student(folder);
  const std::string name = "model.layers.1.mlp.down_proj.weight";
  NamedTensors tensors;
  const auto file = SafetensorsFile::open(model("student") / "model.safetensors");
  for (const auto& [tensor, info] : file->tensors()) tensors.emplace_back(tensor, file->tensor(tensor).clone());
  for (auto& [tensor, value] : tensors) {
    if (tensor == name) value[0][10].fill_(std::numeric_limits<double>::quiet_NaN());
  }
  write_safetensors(directory / "model.safetensors", tensors);
  const std::vector<std::string> parts{directory.string(), name + " is nan at [0, 10]"};
  const auto out = folder / "out";
  expect_refusal(generate(directory), parts);
  for (const char* command : {"answer", "score"}) {
    expect_refusal(vlsi_program({command, "--model", directory, "--data", tiny("train.json"), "--out", out}), parts);
    EXPECT_FALSE(fs::exists(out)) << command;
  }
  for (const char* key : {"student.model=", "teacher.model="}) {
    const Folder run;
    expect_refusal(distill(run, with(kLastLayerAlone, {"--set", key + directory.string()})), parts);
  }
}

TEST(DamagedModel, ThatIsNotThereAtAllIsNamed) { expect_refusal(generate("/nowhere/model"), {"/nowhere/model"}); }

/// The student in shards, with its index.
struct Shards {
  Folder folder;
  fs::path path = folder / "model", index = path / "model.safetensors.index.json";
  Json weight_map;

  Shards() {
    const auto result = vlsi_program({"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"),
                                      "--out", path, "--max-shard-bytes", "40000"});
    EXPECT_EQ(result.status, 0) << result.err;
    weight_map = read_json(index).at("weight_map");
  }
  fs::path shard(int number) const {
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.path().filename().string().starts_with(concat("model-0000", number))) return entry.path();
    }
    throw std::runtime_error("no such shard");
  }
  void write_index() const { write_text(index, Json{{"weight_map", weight_map}}.dump()); }
};

TEST(DamagedShards, AreRefusedInOneLineWithEveryProblem) {
  const Shards whole;
  ASSERT_EQ(generate(whole.path).status, 0);
  const std::vector<std::tuple<std::string, std::function<void(Shards&)>, std::vector<std::string>>> cases{
      {"cut off",
       [](Shards& s) { fs::resize_file(s.shard(2), fs::file_size(s.shard(2)) - 100); },
       {"model-00002", "data_offsets", "within the", "the file may be cut off"}},
      {"absent",
       [](Shards& s) { fs::remove(s.shard(3)); },
       {"model.safetensors.index.json", "model-00003", "No such file"}},
      {"a header of 100 GB",
       [](Shards& s) {
         auto bytes = content_of(s.shard(1));
         for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(uint64_t{100'000'000'000} >> (8 * i) & 0xFF);
         write_text(s.shard(1), bytes);
       },
       {"model-00001", "header length is 100000000000", "expected 1 to "}},
      {"a file elsewhere",
       [](Shards& s) {
         s.weight_map["model.norm.weight"] = "../../secret.safetensors";
         s.write_index();
       },
       {"\"../../secret.safetensors\" is not a plain file name"}},
      {"no map",
       [](Shards& s) { write_text(s.index, "{}"); },
       {"model.safetensors.index.json", "weight_map", "missing"}},
      {"all at once",
       [](Shards& s) {
         s.weight_map["model.layers.7.mlp.up_proj.weight"] = s.weight_map["model.norm.weight"];
         s.weight_map.erase("visual.merger.ln_q.weight");
         s.write_index();
         fs::copy_file(s.shard(1), s.path / "twice.safetensors");
         s.weight_map["visual.patch_embed.proj.weight"] = "twice.safetensors";
         s.write_index();
         fs::remove(s.shard(3));
       },
       {"model-00003", "\"model.layers.7.mlp.up_proj.weight\" is not in", "\"visual.merger.ln_q.weight\"",
        "is not in the index", "is in both"}}};
  for (const auto& [name, damage, parts] : cases) {
    SCOPED_TRACE(name);
    Shards shards;
    damage(shards);
    const auto before = files_in(shards.path);
    expect_refusal(generate(shards.path), parts);
    expect_refusal(vlsi_program({"inspect", shards.path}), {parts.front()});
    EXPECT_EQ(files_in(shards.path), before);
  }
}

TEST(DamagedMetrics, AreRefusedByTheirLine) {
  const Folder folder;
  const std::string whole = R"({"step": "finetune", "iteration": 1, "loss": 2.5})"
                            "\n";
  for (const auto& [line, part] : std::vector<std::pair<std::string, std::string>>{
           {R"({"step": 3, "loss": 1})", "key 'step' is 3, expected a string"},
           {R"({"loss": 1})", "key 'step' is missing"},
           {R"({"step": "finetune", "iteration": "x", "loss": 1})", "key 'iteration' is a string"},
           {"[1]", "an array"},
           {"{", "line"}}) {
    folder.write("metrics.jsonl", whole + line + "\n");
    expect_refusal(vlsi_program({"inspect", folder.path()}), {"metrics.jsonl, line 2", part});
  }
  folder.write("metrics.jsonl", whole + R"({"step": "finetune", "validation_loss": 2})" + "\nhalf a li");
  const auto result = vlsi_program({"inspect", folder.path()});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("finetune: 1 iterations, last loss 2.5"), std::string::npos) << result.out;
}

TEST(DamagedCheckpoint, IsRefused) {
  const Folder folder;
  ASSERT_EQ(distill(folder, kLastLayerAlone).status, 0);
  const auto checkpoint = folder / "run/checkpoints/interact-5";
  const auto tensors = content_of(checkpoint / "tensors.safetensors"), state = content_of(checkpoint / "state.json");

  write_text(checkpoint / "tensors.safetensors", tensors.substr(0, tensors.size() / 2));
  expect_refusal(resume(folder), {"tensors.safetensors"});

  // The same bytes under another shape, and under another name: the first tensor of the decoder's first layer.
  const std::string name = "parameter.decoder.layers.0.mlp.down_proj.weight";
  auto misshapen = tensors;
  const auto entry = misshapen.find("\"" + name + "\"");
  ASSERT_NE(entry, std::string::npos);
  const auto shape = misshapen.find("[32,64]", entry);
  ASSERT_NE(shape, std::string::npos);
  misshapen.replace(shape, 7, "[64,32]");
  write_text(checkpoint / "tensors.safetensors", misshapen);
  expect_refusal(resume(folder), {name, "[64, 32]", "[32, 64]"});

  auto renamed = tensors;
  replace(renamed, "\"" + name + "\"", "\"parameter.decoder.layers.9.mlp.down_proj.weight\"");
  write_text(checkpoint / "tensors.safetensors", renamed);
  expect_refusal(resume(folder), {name});

  write_text(checkpoint / "tensors.safetensors", tensors);
  write_text(checkpoint / "state.json", state.substr(0, state.size() / 2));
  expect_refusal(resume(folder), {"state.json"});

  auto negative = state;
  replace(negative, "\"iteration\": 5", "\"iteration\": -5");
  write_text(checkpoint / "state.json", negative);
  expect_refusal(resume(folder), {"state.json", "key 'iteration' is -5, expected 0 or more"});

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
  expect_refusal(vlsi_program({"distill", write_run(folder), "--set", "out=" + (folder / "file/run").string()}),
                 {(folder / "file/run").string()});
  expect_refusal(vlsi_program({"distill", write_run(folder), "--set", "out=" + (folder / "file").string()}),
                 {(folder / "file").string()});
  expect_refusal(vlsi_program({"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"), "--out",
                               folder / "file/model"}),
                 {"file"});
  expect_refusal(vlsi_program({"score", "--model", model("student"), "--data", tiny("train.json"), "--out",
                               folder / "file/scores.jsonl"}),
                 {"scores.jsonl"});
  expect_refusal(vlsi_program({"answer", "--model", model("student"), "--data", tiny("train.json"), "--out",
                               folder / "none/answers.json"}),
                 {"answers.json"});
  expect_refusal(vlsi_program({"evaluate", "--model", model("student"), "--benchmark", "easy-vqa", "--data",
                               tiny("train.json"), "--out", folder / "file"}),
                 {"file"});
  EXPECT_EQ(content_of(folder / "file"), "mine");
}

/// A folder in which nothing can be made until it is gone.
class LockedFolder {
 public:
  explicit LockedFolder(fs::path path) : path_(std::move(path)) {
    fs::create_directories(path_);
    fs::permissions(path_, fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write,
                    fs::perm_options::remove);
  }
  LockedFolder(const LockedFolder&) = delete;
  LockedFolder& operator=(const LockedFolder&) = delete;
  ~LockedFolder() { fs::permissions(path_, fs::perms::owner_write, fs::perm_options::add); }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

TEST(ReadOnlyOutput, IsRefusedByEveryCommandThatWrites) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "interact", "--set", "interact.intermediate_loss=none"}).status, 0);
  const auto run = folder / "run";
  const LockedFolder locked(folder / "locked");
  const std::vector<std::string> of_model{"--model", model("student")}, of_data{"--data", tiny("train.json")};
  const auto both = with(of_model, of_data);
  const std::string yaml = write_run(folder);
  const std::vector<Arguments> commands{
      {"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"), "--out", locked / "out"},
      {"distill", yaml, "--set", "out=" + (locked / "out").string()},
      {"finetune", yaml, "--set", "out=" + (locked / "out").string()},
      {"cache", yaml, "--set", "interact.intermediate_loss=none", "--out", locked / "out"},
      with({"score", "--out", locked / "out"}, both),
      with({"answer", "--out", locked / "out"}, both),
      with({"evaluate", "--benchmark", "easy-vqa", "--out", locked / "out"}, both),
      with({"evaluate", "--benchmark", "easy-vqa", "--out", locked / ""}, both),
      with({"lens", "--prompt", "x", "--max-new-tokens", "1", "--html", locked / "out"}, of_model),
      {"export", "--run", run, "--out", locked / "out"},
      {"report", run, "--out", locked / "out"}};
  const auto before = files_in(folder.path());
  for (const auto& command : commands) {
    SCOPED_TRACE(command.front());
    expect_refusal(vlsi_program(command, {.obeys_permissions = true}), {(locked / "").string(), "Permission denied"});
  }
  EXPECT_EQ(files_in(folder.path()), before);
}

TEST(ReadOnlyOutput, OfARunThatIsContinuedIsRefusedAtOnce) {
  for (const char* what : {"run", "run/checkpoints"}) {
    SCOPED_TRACE(what);
    const Folder folder;
    ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
    const auto before = files_in(folder / "run");
    const LockedFolder locked(folder / what);
    expect_refusal(vlsi_program({"distill", write_run(folder), "--resume"}, {.obeys_permissions = true}),
                   {(folder / what).string(), "Permission denied"});
    EXPECT_EQ(files_in(folder / "run"), before);
  }
}

TEST(Outputs, AreNotTheirInputs) {
  const Folder folder;
  const auto data = folder.write("data.json", content_of(tiny("train.json")));
  fs::create_symlink(data, folder / "link.json");
  const auto before = content_of(data);
  const auto refused = [&](const Arguments& arguments, const std::string& input) {
    expect_refusal(vlsi_program(arguments), {input, "which is read; choose another name"});
  };
  for (const auto& out : {fs::path(data), folder / "link.json"}) {
    for (const char* command : {"score", "answer"})
      refused({command, "--model", model("student"), "--data", data, "--out", out}, data);
  }
  refused({"answer", "--model", model("student"), "--data", tiny("train.json"), "--labelled", data, "--out", data},
          data);
  EXPECT_EQ(content_of(data), before);
  const auto answers = folder.write("results/predictions.jsonl", R"({"id": "q01", "answer": "red"})");
  refused(
      {"evaluate", "--benchmark", "easy-vqa", "--data", data, "--predictions", answers, "--out", folder / "results"},
      "predictions.jsonl");
  EXPECT_EQ(content_of(answers), R"({"id": "q01", "answer": "red"})");
}

TEST(Messages, AreOneLineOfPrintableText) {
  for (const std::string name : {"a\nb", "a\xff"}) {
    const auto result = vlsi_program({"inspect", name});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.err.find('\xff'), std::string::npos);
  }
}

}  // namespace
}  // namespace vlsi::cli_test
