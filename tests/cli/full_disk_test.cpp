// Full disks: one line, what was there before stays whole, nothing half-written stays, and with room again the work
// goes on.
#include <cstdlib>

#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

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

TEST(FullDisk, LeavesNoHalfModel) {
  const Folder folder;
  const auto result = vlsi_program(
      {"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"), "--out", folder / "model"},
      {.file_size_limit = 20'000});
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("model"), std::string::npos) << result.err;
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(FullDisk, LeavesEarlierResultsAlone) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "interact", "--set", "interact.intermediate_loss=none"}).status, 0);
  const Arguments of_model{"--model", model("student")};
  const auto of_both = with(of_model, {"--data", tiny("train.json")});
  const auto out = folder / "out";
  // The limits are above what the commands' logs take.
  const std::vector<std::tuple<Arguments, std::string, int64_t>> commands{
      {with({"score", "--out", out}, of_both), "out", 200},
      {with({"answer", "--out", out}, of_both), "out", 200},
      {with({"lens", "--prompt", "x", "--max-new-tokens", "1", "--html", out}, of_model), "out", 200},
      {{"report", folder / "run", "--out", out}, "out", 5000},
      {{"export", "--run", folder / "run", "--out", folder / "model"}, "model", 200},
      {{"export", "--run", folder / "run", "--out", folder / "gguf", "--format", "gguf"}, "gguf", 200}};
  write_text(out, "earlier");
  const auto before = files_in(folder.path());
  for (const auto& [command, name, limit] : commands) {
    SCOPED_TRACE(command.front());
    expect_refusal(vlsi_program(command, {.file_size_limit = limit}), {(folder / name).string(), "File too large"});
    EXPECT_EQ(files_in(folder.path()), before);
    EXPECT_EQ(leftovers_in(folder.path()), std::vector<std::string>{});
  }
}

const Arguments kAdapters{"--set", "student.lora.rank=2",   "--set", "interact.train=[lora]",
                          "--set", "finetune.train=[lora]", "--set", "interact.intermediate_loss=none",
                          "--set", "verbalize.iterations=0"};

// Checkpoints of adapters are smaller than the model that they are merged into.
TEST(FullDisk, KeepsTheEarlierModelOfARunWhoseNextOneHasNoRoom) {
  const Folder folder, whole;
  ASSERT_EQ(distill(folder, with(kAdapters, {"--only", "interact"})).status, 0);
  const auto earlier = files_in(folder / "run/model");
  const auto arguments = with({"distill", write_run(folder), "--resume"}, kAdapters);
  const int64_t limit = 60'000;
  ASSERT_GT(fs::file_size(folder / "run/model/model.safetensors"), limit);
  ASSERT_LT(fs::file_size(folder / "run/checkpoints/interact-5/tensors.safetensors"), limit);
  expect_refusal(vlsi_program(arguments, {.file_size_limit = limit}),
                 {(folder / "run/model").string(), "File too large"});
  EXPECT_TRUE(fs::exists(folder / "run/checkpoints/finetune-4"));
  EXPECT_EQ(files_in(folder / "run/model"), earlier);
  EXPECT_EQ(leftovers_in(folder / "run"), std::vector<std::string>{});

  ASSERT_EQ(vlsi_program(arguments).status, 0);
  ASSERT_EQ(distill(whole, kAdapters).status, 0);
  EXPECT_EQ(metrics_of(folder / "run"), metrics_of(whole / "run"));
  EXPECT_EQ(files_in(folder / "run/model"), files_in(whole / "run/model"));
}

/// A file system of its own for one run of the program, of a given size; what is on it afterwards is in the folder when
/// it is gone.
class SmallDisk {
 public:
  explicit SmallDisk(const Folder& folder) : disk_(folder / "disk"), kept_(folder / "kept") {
    fs::create_directories(disk_);
    for (const std::string way : {"unshare -rm", "unshare -m"}) {
      if (in_namespace(way, "mount -t tmpfs none '" + disk_.string() + "'") == 0) way_ = way;
    }
  }
  bool can_be_made() const { return !way_.empty(); }
  const fs::path& path() const { return disk_; }

  Result run(const Arguments& arguments, int64_t bytes) const {
    std::string program = "'" VLSI_BUILD_DIR "/vlsi'";
    for (const auto& argument : arguments) program += " '" + argument + "'";
    const auto at = [&](const char* name) { return "'" + (kept_ / name).string() + "'"; };
    const std::string disk = "'" + disk_.string() + "'";
    fs::create_directories(kept_ / "files");
    EXPECT_EQ(
        in_namespace(way_, concat("mount -t tmpfs -o size=", bytes, " none ", disk, " && ", program, " >", at("out"),
                                  " 2>", at("err"), "; echo $? >", at("status"), "; cp -a ", disk, "/. ", at("files"))),
        0);
    fs::remove_all(disk_);
    fs::rename(kept_ / "files", disk_);
    return {std::stoi(content_of(kept_ / "status")), content_of(kept_ / "out"), content_of(kept_ / "err")};
  }

 private:
  static int in_namespace(const std::string& way, const std::string& script) {
    std::string quoted;
    for (const char letter : script)
      quoted += letter == '"' || letter == '$' ? std::string("\\") + letter : std::string(1, letter);
    return std::system((way + " sh -c \"" + quoted + "\" 2>/dev/null").c_str());
  }

  fs::path disk_, kept_;
  std::string way_;
};

TEST(FullDisk, OfAnySizeLeavesARunThatGoesOn) {
  const Folder whole;
  const auto out_of = [](const Folder& folder) { return Arguments{"--set", "out=" + (folder / "disk/run").string()}; };
  ASSERT_EQ(distill(whole, out_of(whole)).status, 0);
  int64_t all_bytes = 0;
  for (const auto& [name, content] : files_in(whole / "disk/run")) all_bytes += std::ssize(content);
  int num_refused = 0;
  for (const double share : {0.05, 0.2, 0.4, 0.6, 0.8, 0.95}) {
    SCOPED_TRACE(share);
    const Folder folder;
    const SmallDisk disk(folder);
    if (!disk.can_be_made())
      GTEST_SKIP() << "this process may not mount file systems, not even in a namespace of its own";
    const auto arguments = with({"distill", write_run(folder)}, out_of(folder));
    const auto result =
        disk.run(with(arguments, {"--force"}), static_cast<int64_t>(share * static_cast<double>(all_bytes)));
    expect_refusal(result, {disk.path().string(), "No space left on device"});
    EXPECT_EQ(leftovers_in(disk.path()), std::vector<std::string>{});
    const auto again = vlsi_program(with(arguments, {"--resume"}));
    ASSERT_EQ(again.status, 0) << again.err;
    expect_same_run(folder / "disk/run", whole / "disk/run");
    ++num_refused;
  }
  EXPECT_EQ(num_refused, 6);
}

}  // namespace
}  // namespace vlsi::cli_test
