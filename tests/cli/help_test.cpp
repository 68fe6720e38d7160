// Help and the command line's own errors.
#include "cli/commands.h"
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

void expect_names(const Result& result, const std::vector<std::string>& names) {
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  for (const auto& name : names)
    EXPECT_NE(result.out.find(name), std::string::npos) << "no " << name << " in:\n" << result.out;
}

TEST(Help, NamesEveryCommand) {
  const auto help = vlsi_program({"--help"});
  for (const auto& command : commands()) expect_names(help, {command.name, command.meaning.substr(0, 20)});
}

TEST(Version, SaysWhatTheProgramIsAndUses) {
  expect_names(vlsi_program({"--version"}), {"vlsi 0.1.0", "LibTorch 2.", "threads", "bfloat16"});
}

TEST(Help, OfEveryCommandNamesItsOptions) {
  const std::map<std::string, std::vector<std::string>> options{
      {"init",
       {"--config", "--tokenizer", "--out", "--vision-from", "--cut-from", "--initializer", "--dtype", "--seed"}},
      {"finetune", {"--set", "--resume", "--device", "--dtype", "--threads", "--seed", "peak of the schedule"}},
      {"distill",
       {"--only", "--set", "--resume", "--force", "--device", "--seed", "kl_matrix_every", "batch_tokens: 4096",
        "clip_norm"}},
      {"data", {"--json", "--set", "--threads"}},
      {"plan", {"--only", "--json", "--set", "--device", "batch_tokens: 4096"}},
      {"cache", {"--out", "--shard-bytes", "--set", "--device", "teacher-cache", "cache:"}},
      {"score",
       {"--model", "--data", "--images", "--out", "--batch-tokens", "--skip-bad-records", "--dtype", "--device"}},
      {"generate",
       {"--model", "--adapter", "--image", "--prompt", "--max-new-tokens", "--json", "--system", "--draft-layer",
        "--draft-tokens", "--verbalizers", "--head"}},
      {"answer",
       {"--model", "--data", "--labelled", "--out", "--max-new-tokens", "--skip-bad-records", "--draft-layer"}},
      {"chat",
       {"--model", "--system", "--greedy", "--temperature", "--max-new-tokens", "--cache-memory", "--draft-layer",
        "/image PATH"}},
      {"serve",
       {"--model", "--port", "--host", "--api-key-file", "--media", "--verbalizers", "--max-sequences", "--max-waiting",
        "--timeout", "--max-body", "--greedy", "--draft-layer", "Example"}},
      {"evaluate", {"--model",          "--benchmark",   "--data",          "--out",
                    "--max-new-tokens", "easy-vqa",      "--profile",       "--predictions",
                    "--vectors",        "--limit",       "--blank",         "--draft-layer",
                    "--judge-url",      "--judge-model", "--judge-prompts", "--judge-key-variable",
                    "--judge-workers",  "--judge-tries", "--judge-wait",    "--judge-timeout",
                    "--judge-cache"}},
      {"table", {"results", "--columns", "--format", "--with-paper", "--out"}},
      {"export",
       {"--run", "--out", "--format", "--dtype", "--type", "--mmproj-type", "--base-model", "--naming",
        "--max-shard-bytes", "q4_0"}},
      {"inspect", {"directory"}},
      {"lens",
       {"--model", "--verbalizers", "--head", "--image", "--prompt", "--answer", "--blank", "--json", "--html"}},
      {"study", {"study", "--set", "--dry-run", "--merge", "--format", "--out", "--page", "baseline", "memory_gib"}},
      {"completion", {"shell", "bash | zsh | fish", "bash-completion"}},
      {"man", {"--help"}},
      {"report", {"runs", "--out", "--serve", "--host", "--samples", "--sample-id", "--results", "--with-paper"}}};
  for (const auto& command : commands()) EXPECT_TRUE(options.contains(command.name)) << command.name;
  for (const auto& [command, names] : options) {
    SCOPED_TRACE(command);
    expect_names(vlsi_program({command, "--help"}), names);
  }
}

/// What the examples name, by these names.
void write_what_examples_use(const Folder& folder) {
  const auto copy = [&](const fs::path& from, const char* name) {
    fs::copy(from, folder / name, fs::copy_options::recursive);
  };
  copy(tiny("student.json"), "config.json");
  copy(tiny("tokenizer"), "tokenizer");
  copy(model("student"), "model");
  copy(fs::path(VLSI_TEST_DATA) / "images", "images");
  copy(folder / "images/rgb_8.png", "picture.png");
  copy(tiny("train.json"), "data.json");
  copy(tiny("train.json"), "test.json");
  write_run(folder);
  folder.write("study.yaml",
               "out: study\nseeds: [1]\nstages: [{name: student, command: distill, run: run.yaml}]\n"
               "variants: [{name: vlsi}]\n"
               "evaluate: [{name: test, options: [benchmark=easy-vqa, data=test.json, images=images]}]\n");
}

/// What a shell makes of a line in `folder`, without input.
Result shell(const Folder& folder, const std::string& line) {
  const auto start = concat("cd '", folder.path().string(), "' && PATH='", VLSI_BUILD_DIR, "':$PATH && { ", line,
                            "; } > out 2> err < /dev/null");
  const int status = std::system(start.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content_of(folder / "out"),
          content_of(folder / "err")};
}

TEST(Help, ItsExamplesRunAsPrinted) {
  const Folder folder;
  write_what_examples_use(folder);
  for (const auto& command : commands()) {
    EXPECT_FALSE(command.examples.empty()) << command.name;
    std::istringstream lines(command.examples);
    for (std::string line; std::getline(lines, line);) {
      SCOPED_TRACE(line);
      EXPECT_NE(line.find("vlsi " + command.name + " "), std::string::npos);
      EXPECT_NE(vlsi_program({command.name, "--help"}).out.find("\n  " + line), std::string::npos);
      // A server does not end by itself: it is told to when it has its address.
      const bool serves = command.name == "serve";
      const auto result = shell(
          folder,
          serves ? line + " & until grep -qs http out || ! kill -0 $!; do sleep 0.1; done; kill $!; wait $!" : line);
      const bool is_taken = serves && result.err.find("in use") != std::string::npos;  // its port, by another program
      EXPECT_TRUE(result.status == 0 || is_taken) << result.err;
    }
  }
}

TEST(CommandLine, RefusesWhatItDoesNotKnowInOneLine) {
  expect_refusal(vlsi_program({}), {"subcommand"});
  expect_refusal(vlsi_program({"distil"}), {"'distil'"});
  expect_refusal(vlsi_program({"inspect", "--colour", "x"}), {"--colour"});
  expect_refusal(vlsi_program({"genrate", "--model", "x"}), {"'genrate' is no command; did you mean 'generate'?"});
  for (const char* option : {"--help", "--version"}) {
    const auto help = vlsi_program({"genrate", option});
    expect_refusal(help, {"'genrate' is no command; did you mean 'generate'?"});
    EXPECT_EQ(help.out, "");
  }
  expect_refusal(vlsi_program({"generate", "--modle", "x", "--prompt", "y"}),
                 {"'--modle' is no option of vlsi generate; did you mean '--model'?"});
  expect_refusal(vlsi_program({"generate", "--model", "x", "--prompt", "y", "--tempertaure=1"}),
                 {"'--tempertaure' is no option of vlsi generate; did you mean '--temperature'?"});
  expect_refusal(vlsi_program({"--hepl"}), {"'--hepl' is no option of vlsi; did you mean '--help'?"});
  expect_refusal(vlsi_program({"inspect", "a", "b", "c"}), {"found 'b' 'c', which nothing takes"});
  expect_refusal(vlsi_program({"distill"}), {"run"});
  expect_refusal(vlsi_program({"generate", "--model", "x"}), {"--prompt"});
  expect_refusal(vlsi_program({"distill", "run.yaml", "--only", "dream"}), {"--only", "dream", "verbalize"});
  expect_refusal(vlsi_program({"generate", "--model", "x", "--prompt", "y", "--max-new-tokens", "-1"}),
                 {"--max-new-tokens"});
  const Folder folder;
  for (const char* number : {"0", "-3", "few"}) {
    expect_refusal(vlsi_program({"score", "--model", "x", "--data", "y", "--out", "z", "--batch-tokens", number}),
                   {concat("--batch-tokens: found ", number, ", expected a whole number from 1 up")});
  }
  expect_refusal(vlsi_program({"init", "--config", "x", "--tokenizer", "y", "--out", folder / "z", "--seed", "-1"}),
                 {"--seed: found -1, expected a whole number from 0 up"});
}

TEST(CommandLine, RefusesTemperaturesBelowNothing) {
  for (const char* number : {"-1", "nan", "inf"}) {
    expect_refusal(vlsi_program({"generate", "--model", model("student"), "--prompt", "x", "--temperature", number}),
                   {concat("--temperature is ", number, ", expected 0 or a number above 0")});
  }
}

TEST(CommandLine, RefusesDevicesAndTypesThatAreNotThere) {
  const auto generate = [](const Arguments& more) {
    Arguments arguments{"generate", "--model", model("student"), "--prompt", "x"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return vlsi_program(arguments);
  };
  expect_refusal(generate({"--device", "abacus"}), {"abacus", "expected cpu"});
  expect_refusal(generate({"--device", "cpu:1"}), {"'cpu:1', expected cpu"});
  expect_refusal(generate({"--dtype", "float16"}), {"--dtype is 'float16'", "expected float32 or bfloat16"});
  expect_refusal(generate({"--dtype", "int3"}), {"int3", "float32"});
}

}  // namespace
}  // namespace vlsi::cli_test
