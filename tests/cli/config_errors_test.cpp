// What a user sees when the run's file is wrong, or describes a run that cannot go well.
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

TEST(RunFile, AnUnknownKeyIsNamedWithTheNearestKnownOne) {
  const Folder folder;
  auto text = content_of(write_run(folder));
  replace(text, "learning_rate", "learing_rate");
  write_text(folder / "typo.yaml", text);
  expect_refusal(vlsi_program({"distill", folder / "typo.yaml"}),
                 {"typo.yaml, line 8", "learing_rate", "did you mean", "learning_rate"});
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(RunFile, WrongValuesAreRefusedBeforeAnythingStarts) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases{
      {"seed=tomorrow", {"--set: key 'seed'", "'tomorrow'", "whole number"}},
      {"optimizer.learning_rate=nan", {"learning_rate", "nan"}},
      {"data.train=[]", {"data.train"}},
      {"data.train=[{path: absent.json}]", {"absent.json"}},
      {"student.layers=[2, 1]", {"student.layers", "ascending"}},
      {"student.layers=[1, 2, 3]", {"3 target layers", "the teacher 2"}},
      {"teacher.layers=[1, 99]", {"teacher.layers", "99", "3"}},
      {"interact.train=[]", {"'interact.train' is an empty list", "parts of the student"}},
      {"finetune.train=[]", {"'finetune.train' is an empty list"}},
      {"interact.train=[brain]", {"interact.train", "brain"}},
      {"interact.train=[lora]", {"lora"}},
      {"finetune.train=[decoder, brain]", {"finetune.train", "brain"}},
      {"interact.train=[head]", {"key 'interact.train' is [head], of which nothing can learn"}},
      {"finetune.train=[head]", {"key 'finetune.train' is [head], of which nothing can learn", "embeddings"}},
      {"interact.epochs=-1", {"interact.epochs", "-1"}},
      {"interact.matching.temperature=hot", {"temperature", "hot", "adaptive"}},
      {"dtype=float16", {"float16", "bfloat16"}},
      {"device=abacus", {"abacus"}},
      {"student.model=/nowhere", {"/nowhere"}},
      {"novalue", {"novalue", "key=value"}}};
  for (const auto& [setting, parts] : cases) {
    SCOPED_TRACE(setting);
    const Folder folder;
    expect_refusal(distill(folder, {"--set", setting}), parts);
    EXPECT_TRUE(!fs::exists(folder / "run") || metrics_of(folder / "run").empty()) << "a step had begun";
  }
}

TEST(RunFile, LimitsOfLoadingHoldForEveryCommandThatReadsIt) {
  const Folder folder;
  const auto run = write_run(folder);
  const auto out = (folder / "cache").string();
  for (const Arguments& command : {Arguments{"data", run}, Arguments{"plan", run}, Arguments{"distill", run},
                                   Arguments{"cache", run, "--out", out}}) {
    SCOPED_TRACE(command[0]);
    const auto with_setting = [&](const std::string& setting) {
      return vlsi_program(with(command, {"--set", setting}));
    };
    expect_refusal(with_setting("data.workers=200000"), {"run.yaml: key 'data.workers' is 200000, expected 1 to 256"});
    expect_refusal(with_setting("interact.data.workers=0"), {"key 'interact.data.workers' is 0"});
    expect_refusal(with_setting("data.batch_tokens=0"), {"key 'data.batch_tokens' is 0, expected 1 to 16777216"});
    expect_refusal(with_setting("data.batch_tokens=9223372036854775807"),
                   {"key 'data.batch_tokens' is 9223372036854775807, expected 1 to 16777216"});
    expect_refusal(with_setting("finetune.data.sample_tokens=16777217"),
                   {"key 'finetune.data.sample_tokens' is 16777217, expected 1 to 16777216"});
  }
}

TEST(RunFile, YamlThatCannotBeReadIsNamedByLine) {
  const Folder folder;
  write_text(folder / "run.yaml", "out: x\nseed: [1\n");
  expect_refusal(vlsi_program({"distill", folder / "run.yaml"}), {"run.yaml", "line"});
  write_text(folder / "run.yaml", "out: x\nout: y\n");
  expect_refusal(vlsi_program({"distill", folder / "run.yaml"}), {"run.yaml", "line 2", "'out'", "twice"});
  write_text(folder / "run.yaml", "- a\n- b\n");
  expect_refusal(vlsi_program({"distill", folder / "run.yaml"}), {"run.yaml", "a list"});
  expect_refusal(vlsi_program({"distill", folder / "absent.yaml"}), {"absent.yaml"});
}

TEST(RunFile, HeadsOfOtherRowsAreAllowedWhereTheTokenIdsAgree) {
  const Folder folder;
  auto config = content_of(tiny("teacher.json"));
  replace(config, "\"vocab_size\": 320", "\"vocab_size\": 352");
  write_text(folder / "teacher.json", config);
  ASSERT_EQ(vlsi_program({"init", "--config", folder / "teacher.json", "--tokenizer", tiny("tokenizer"), "--out",
                          folder / "teacher"})
                .status,
            0);
  const auto result = distill(folder, {"--set", "teacher.model=" + (folder / "teacher").string()});
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(RunFile, TwoTokenizersThatDifferAreRefused) {
  const Folder folder;
  fs::copy(model("teacher"), folder / "teacher", fs::copy_options::recursive);
  auto tokenizer = content_of(folder / "teacher/tokenizer.json");
  replace(tokenizer, R"("#": 2,)", R"("#": 3,)");
  replace(tokenizer, R"("$": 3,)", R"("$": 2,)");
  write_text(folder / "teacher/tokenizer.json", tokenizer);
  expect_refusal(distill(folder, {"--set", "teacher.model=" + (folder / "teacher").string()}),
                 {model("student").string(), (folder / "teacher").string(),
                  "first at ids 2 ('#' against '$'), 3 ('$' against '#')"});
}

TEST(Diverging, EndsWithAMessageAndKeepsTheLastGoodCheckpoint) {
  const Folder folder;
  const auto result =
      vlsi_program({"finetune", write_run(folder), "--set", "optimizer.learning_rate=1e30", "--set",
                    "optimizer.warmup=0", "--set", "finetune.iterations=10", "--set", "checkpoint.every=100"});
  expect_refusal(result, {"the student's last layer: the loss is ", "of sample '", "lower the learning rate"});
  EXPECT_FALSE(fs::exists(folder / "run/model"));
  for (const auto& line : metrics_of(folder / "run")) EXPECT_TRUE(line["loss"].is_number()) << line.dump();
}

}  // namespace
}  // namespace vlsi::cli_test
