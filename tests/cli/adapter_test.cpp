// Adapters from training to other programs and back: kept by the run, exported, read, trained further.
#include <cmath>

#include "base/safetensors.h"
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

const Arguments kAdaptersAlone{"--set", "student.lora.rank=4",   "--set", "student.lora.alpha=8",
                               "--set", "interact.train=[lora]", "--set", "finetune.iterations=0"};

/// A run that trained adapters and nothing else; several tests look at it.
const Folder& adapter_run() {
  static const Folder folder;
  static const bool done = [] {
    const auto result = distill(folder, kAdaptersAlone);
    EXPECT_EQ(result.status, 0) << result.err;
    return true;
  }();
  static_cast<void>(done);
  return folder;
}

/// The same run as its last checkpoint has it, before it finished.
void copy_unfinished(const Folder& folder) {
  fs::copy(adapter_run() / "run", folder / "run", fs::copy_options::recursive);
  fs::remove_all(folder / "run/model");
  fs::remove_all(folder / "run/adapter");
}

Result export_run(const fs::path& run, const fs::path& out, const Arguments& more = {}) {
  Arguments arguments{"export", "--run", run, "--out", out};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return vlsi_program(arguments);
}

std::vector<double> losses(const Folder& folder, const fs::path& model, const Arguments& more = {}) {
  Arguments arguments{"score", "--model", model, "--data", tiny("train.json"), "--out", folder / "scores.jsonl"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto result = vlsi_program(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  std::vector<double> values;
  std::ifstream file(folder / "scores.jsonl");
  for (std::string line; std::getline(file, line);) values.push_back(OrderedJson::parse(line).at("loss").get<double>());
  return values;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = a.empty() ? 1e9 : 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(QuantisedModel, ScoresNearlyTheSameWithItsAdapter) {
  const Folder folder;
  const auto model_and_adapter = [&](const Arguments& more) {
    return losses(folder, model("student"), with({"--adapter", adapter_run() / "run/adapter"}, more));
  };
  const auto as_it_is = model_and_adapter({});
  EXPECT_EQ(largest_difference(model_and_adapter({"--quantize", "none"}), as_it_is), 0);
  // Means over an answer's tokens of log-probabilities near -6, from weights that are off by 1 and by 10 %.
  const double of_int8 = largest_difference(model_and_adapter({"--quantize", "int8"}), as_it_is);
  const double of_int4 = largest_difference(model_and_adapter({"--quantize", "int4"}), as_it_is);
  EXPECT_GT(of_int8, 0);
  EXPECT_LT(of_int8, 0.05);
  EXPECT_LT(of_int4, 0.5);
  expect_refusal(vlsi_program({"score", "--model", model("student"), "--data", tiny("train.json"), "--out",
                               folder / "x", "--quantize", "int5"}),
                 {"--quantize is 'int5', expected one of none, int8, int4"});
  expect_refusal(vlsi_program({"score", "--model", model("student"), "--data", tiny("train.json"), "--out",
                               folder / "x", "--quantize", "int8", "--device", "cuda"}),
                 {"--quantize is 'int8', which is for the CPU, and --device is 'cuda'"});
}

const char* const kWeights = "adapter_model.safetensors";

TEST(AdapterOfARun, BesideItsModelIsTheMergedModel) {
  const Folder folder;
  const auto merged = losses(folder, adapter_run() / "run/model");
  const auto beside = losses(folder, model("student"), {"--adapter", adapter_run() / "run/adapter"});
  EXPECT_LE(largest_difference(beside, merged), 1e-4) << "float32 sums of some hundred terms in another order";
  EXPECT_GT(largest_difference(losses(folder, model("student")), merged), 1e-3);
}

TEST(AdapterOfARun, IsExportedInBothNamings) {
  const Folder folder;
  const auto kept = content_of(adapter_run() / "run/adapter" / kWeights);
  ASSERT_EQ(export_run(adapter_run() / "run", folder / "new",
                       {"--format", "peft", "--base-model", "Qwen/Qwen2-VL-2B-Instruct"})
                .status,
            0);
  EXPECT_TRUE(content_of(folder / "new" / kWeights) == kept);
  EXPECT_NE(kept.find("base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight"),
            std::string::npos);
  const auto config = OrderedJson::parse(content_of(folder / "new/adapter_config.json"));
  EXPECT_EQ(config.at("base_model_name_or_path"), "Qwen/Qwen2-VL-2B-Instruct");
  EXPECT_EQ(config.at("r"), 4);
  EXPECT_EQ(config.at("lora_alpha"), 8);
  EXPECT_EQ(config.at("target_modules").size(), 7);
  ASSERT_EQ(export_run(adapter_run() / "run", folder / "old", {"--format", "peft", "--naming", "gen-1"}).status, 0);
  EXPECT_NE(
      content_of(folder / "old" / kWeights).find("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"),
      std::string::npos);
  EXPECT_EQ(losses(folder, model("student"), {"--adapter", folder / "old"}),
            losses(folder, model("student"), {"--adapter", folder / "new"}));
}

TEST(AdapterOfARun, ComesFromTheNewestCheckpointBeforeTheRunIsFinished) {
  const Folder folder;
  copy_unfinished(folder);
  ASSERT_EQ(export_run(folder / "run", folder / "adapter", {"--format", "peft"}).status, 0);
  EXPECT_TRUE(content_of(folder / "adapter" / kWeights) == content_of(adapter_run() / "run/adapter" / kWeights));
}

TEST(AdapterOfARun, IsNotThereWhereMoreThanAdaptersLearnt) {
  const Folder folder;
  const auto result = distill(folder, {"--set", "student.lora.rank=4", "--set", "interact.train=[lora]", "--set",
                                       "finetune.train=[projector]"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_FALSE(fs::exists(folder / "run/adapter"));
  expect_refusal(export_run(folder / "run", folder / "out", {"--format", "peft"}),
                 {"trained more than adapters (projector)", "--format hf"});
}

TEST(AdapterOfARun, GoesWhenALaterStepTrainsMore) {
  const Folder folder;
  Arguments arguments{"--set", "student.lora.rank=4",        "--set",  "interact.train=[lora]",
                      "--set", "finetune.train=[projector]", "--only", "verbalize"};
  ASSERT_EQ(distill(folder, arguments).status, 0);
  arguments.back() = "interact";
  arguments.emplace_back("--resume");
  ASSERT_EQ(distill(folder, arguments).status, 0);
  EXPECT_TRUE(fs::exists(folder / "run/adapter"));
  arguments[arguments.size() - 2] = "finetune";
  ASSERT_EQ(distill(folder, arguments).status, 0);
  EXPECT_FALSE(fs::exists(folder / "run/adapter"));
}

TEST(ExportedModel, IsTheRunsModelAlsoFromACheckpoint) {
  const Folder folder;
  copy_unfinished(folder);
  const auto expected = content_of(adapter_run() / "run/model/model.safetensors");
  ASSERT_EQ(export_run(adapter_run() / "run", folder / "finished").status, 0);
  ASSERT_EQ(export_run(folder / "run", folder / "unfinished").status, 0);
  for (const char* name : {"finished", "unfinished"}) {
    EXPECT_TRUE(content_of(folder / name / "model.safetensors") == expected) << name;
    for (const char* file : {"config.json", "generation_config.json", "tokenizer.json", "preprocessor_config.json"}) {
      EXPECT_TRUE(content_of(folder / name / file) == content_of(adapter_run() / "run/model" / file))
          << name << "/" << file;
    }
  }
}

TEST(ExportedModel, CanBeShardedAndRounded) {
  const Folder folder;
  ASSERT_EQ(
      export_run(adapter_run() / "run", folder / "out", {"--dtype", "bfloat16", "--max-shard-bytes", "20000"}).status,
      0);
  EXPECT_TRUE(fs::exists(folder / "out/model.safetensors.index.json"));
  EXPECT_FALSE(fs::exists(folder / "out/model.safetensors"));
  EXPECT_NE(content_of(folder / "out/config.json").find("bfloat16"), std::string::npos);
  // Weights of 8 bits move a loss of some nats by hundredths.
  EXPECT_LE(largest_difference(losses(folder, folder / "out"), losses(folder, adapter_run() / "run/model")), 0.1);
}

TEST(ExportedModel, OfAnotherDtypeThanTheRunsIsRoundedOnce) {
  const Folder folder;
  ASSERT_EQ(distill(folder, with(kAdaptersAlone, {"--dtype", "bfloat16"})).status, 0);
  ASSERT_EQ(export_run(folder / "run", folder / "out", {"--dtype", "float32"}).status, 0);
  const std::string map = "layers.0.self_attn.q_proj";
  const auto factors = SafetensorsFile::open(folder / "run/adapter" / kWeights);
  const auto factor = [&](const char* which) {
    return factors->tensor("base_model.model.model.language_model." + map + ".lora_" + which + ".weight")
        .to(at::kDouble);
  };
  const auto weight_in = [&](const fs::path& directory) {
    return SafetensorsFile::open(directory / "model.safetensors")->tensor("model." + map + ".weight");
  };
  // The run's weights are bfloat16; alpha / rank is 2.
  const auto expected =
      weight_in(model("student")).to(at::kBFloat16).to(at::kDouble) + 2 * factor("B").matmul(factor("A"));
  // Weights below one, in float32; bfloat16 would be 1e-3 away.
  EXPECT_LE((weight_in(folder / "out").to(at::kDouble) - expected).abs().max().item<double>(), 1e-6);
}

/// Another model of the student's shapes.
const fs::path& other_base() {
  static const Folder folder;
  static const fs::path made = [] {
    const auto result = vlsi_program({"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"),
                                      "--out", folder / "other", "--seed", "5"});
    EXPECT_EQ(result.status, 0) << result.err;
    return folder / "other";
  }();
  return made;
}

/// The run now says that it started from `base`, as where its own was overwritten.
void move_base(const Folder& folder, const std::string& base) {
  auto config = content_of(folder / "run/config.yaml");
  replace(config, model("student").string(), base);
  write_text(folder / "run/config.yaml", config);
}

TEST(ExportedModel, IsNotMergedIntoAnotherBase) {
  const Folder folder;
  fs::copy(adapter_run() / "run", folder / "run", fs::copy_options::recursive);
  const Arguments anew{"--dtype", "bfloat16"};
  move_base(folder, other_base());
  expect_refusal(export_run(folder / "run", folder / "out", anew),
                 {"student.model of " + (folder / "run/config.yaml").string() + " is " + other_base().string(),
                  "run/adapter merged its ", "is not that of " + (folder / "run/model").string()});
  write_text(folder / "run/config.yaml", content_of(adapter_run() / "run/config.yaml"));
  move_base(folder, "not/there");
  expect_refusal(export_run(folder / "run", folder / "out", anew),
                 {"student.model of " + (folder / "run/config.yaml").string() + " is not/there",
                  "there is no model in " + (fs::current_path() / "not/there").string()});
  EXPECT_FALSE(fs::exists(folder / "out"));
  EXPECT_EQ(export_run(folder / "run", folder / "peft", {"--format", "peft"}).status, 0) << "it needs no base";
}

TEST(ExportedModel, OfACheckpointIsNotPutIntoAnotherBase) {
  const Folder folder;
  copy_unfinished(folder);
  move_base(folder, other_base());
  expect_refusal(export_run(folder / "run", folder / "out"),
                 {"student.model of " + (folder / "run/config.yaml").string() + " is " + other_base().string(),
                  "student-verbalizers was trained on"});
  write_text(folder / "run/config.yaml", content_of(adapter_run() / "run/config.yaml"));
  move_base(folder, "not/there");
  expect_refusal(export_run(folder / "run", folder / "out"), {"student.model", "there is no model in "});
}

TEST(Export, RefusesWhatIsNotThere) {
  const Folder folder;
  expect_refusal(export_run(folder / "nothing", folder / "out"), {(folder / "nothing").string(), "no config.yaml"});
  write_text(folder / "full/file", "mine");
  expect_refusal(export_run(adapter_run() / "run", folder / "full"), {"not empty"});
  expect_refusal(export_run(adapter_run() / "run", folder / "out", {"--dtype", "int3"}), {"--dtype", "int3"});
  expect_refusal(export_run(adapter_run() / "run", folder / "out", {"--format", "gif"}), {"--format"});
  expect_refusal(export_run(adapter_run() / "run", folder / "out", {"--format", "gguf", "--type", "q3"}),
                 {"--type", "q3", "q8_0"});
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  expect_refusal(export_run(folder / "run", folder / "out"),
                 {"has not trained its student yet", "verbalize-teacher-4"});
  fs::remove_all(folder / "run/checkpoints");
  expect_refusal(export_run(folder / "run", folder / "out"), {"it has no checkpoint"});
  const Folder whole;
  ASSERT_EQ(distill(whole, {"--only", "interact", "--set", "interact.intermediate_loss=none"}).status, 0);
  expect_refusal(export_run(whole / "run", whole / "out", {"--format", "peft"}),
                 {"trained more than adapters (decoder)"});
}

TEST(GivenAdapter, IsWhereTrainingGoesOn) {
  const Folder folder;
  const auto result = vlsi_program(
      {"finetune", write_run(folder), "--set", "student.adapter=" + (adapter_run() / "run/adapter").string(), "--set",
       "finetune.train=[lora]", "--set", "finetune.iterations=1", "--set", "optimizer.learning_rate=1e-9"});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto before = SafetensorsFile::open(adapter_run() / "run/adapter" / kWeights),
             after = SafetensorsFile::open(folder / "run/adapter" / kWeights);
  ASSERT_EQ(before->tensors().size(), after->tensors().size());
  for (const auto& [name, info] : before->tensors()) {
    // One update of at most the learning rate, and its rounding.
    EXPECT_LE((after->tensor(name) - before->tensor(name)).abs().max().item<double>(), 1e-7) << name;
  }
  expect_refusal(vlsi_program({"finetune", write_run(folder), "--set",
                               "student.adapter=" + (folder / "run/adapter").string(), "--set", "student.lora.rank=4"}),
                 {"student.adapter", "student.lora.rank"});
}

TEST(GivenAdapter, OfAnotherModelIsRefused) {
  const auto adapter = (adapter_run() / "run/adapter").string();
  for (const char* command : {"generate", "score", "answer", "evaluate"}) {
    const Folder folder;
    Arguments arguments{command, "--model", model("teacher"), "--adapter", adapter};
    if (command == std::string("generate")) {
      arguments.insert(arguments.end(), {"--prompt", "x"});
    } else {
      arguments.insert(arguments.end(), {"--data", tiny("train.json"), "--out", folder / "out"});
    }
    if (command == std::string("evaluate")) arguments.insert(arguments.end(), {"--benchmark", "easy-vqa"});
    expect_refusal(vlsi_program(arguments), {adapter, "does not fit the model",
                                             "problem(s): ", "missing model.layers.2.mlp.down_proj.lora_A.weight"});
  }
  expect_refusal(vlsi_program({"generate", "--model", adapter, "--prompt", "x"}), {"it holds an adapter"});
  expect_refusal(
      vlsi_program({"generate", "--model", model("student"), "--adapter", model("student"), "--prompt", "x"}),
      {"adapter_config.json"});
}

TEST(Inspect, DescribesAnAdapter) {
  const auto result = vlsi_program({"inspect", adapter_run() / "run/adapter"});
  EXPECT_EQ(result.status, 0) << result.err;
  for (const char* part :
       {"an adapter (LORA)", "rank        4, alpha 8", "down_proj", "tensors     28", model("student").c_str()}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << " in " << result.out;
  }
}

TEST(ActivationCheckpointing, ChangesNothingOfARun) {
  const Folder plain, checkpointed;
  ASSERT_EQ(distill(plain).status, 0);
  const auto result = distill(checkpointed, {"--set", "activation_checkpointing=true"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_run(checkpointed / "run", plain / "run");
}

TEST(ShardedModel, IsWrittenAndRead) {
  const Folder folder;
  const auto result = vlsi_program({"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"), "--out",
                                    folder / "model", "--seed", "1", "--max-shard-bytes", "20000"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(fs::exists(folder / "model/model.safetensors.index.json"));
  EXPECT_EQ(losses(folder, folder / "model"), losses(folder, model("student")));
}

}  // namespace
}  // namespace vlsi::cli_test
