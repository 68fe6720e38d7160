// The program's commands on the stand-in device: what the CPU says, in processes of their own.
#include "tests/cli/two_ranks.h"
#include "tests/device/near.h"

namespace vlsi::cli_test {
namespace {

using device_test::expect_near;

Surroundings with_device() {
  Surroundings surroundings;
  surroundings.program = std::string(VLSI_BUILD_DIR) + "/tests/vlsi_on_stand_in";
  return surroundings;
}

const Arguments kOnDevice{"--device", "privateuseone"};

/// What a command prints, there and on the CPU.
std::pair<std::string, std::string> outputs_of(const Arguments& arguments) {
  const auto there = vlsi_program(with(arguments, kOnDevice), with_device()), here = vlsi_program(arguments);
  EXPECT_EQ(there.status, 0) << there.err;
  EXPECT_EQ(here.status, 0) << here.err;
  return {there.out, here.out};
}

TEST(ProgramOnADevice, Generates) {
  const auto [there, here] = outputs_of({"generate", "--model", model("student"), "--prompt", "what is this?",
                                         "--image", std::string(VLSI_TEST_DATA) + "/images/rgb_8.png",
                                         "--max-new-tokens", "12", "--dtype", "float32", "--json"});
  EXPECT_EQ(there, here);
}

TEST(ProgramOnADevice, Scores) {
  const Folder folder;
  const Arguments score{"score", "--model", model("student"), "--data", tiny("train.json"), "--dtype", "float32"};
  outputs_of(with(score, {"--out", folder / "scores.jsonl"}));
  const auto there = content_of(folder / "scores.jsonl");
  ASSERT_EQ(vlsi_program(with(score, {"--out", folder / "here.jsonl"})).status, 0);
  std::istringstream found(there), wanted(content_of(folder / "here.jsonl"));
  int num_lines = 0;
  for (std::string own, expected; std::getline(wanted, expected); ++num_lines) {
    ASSERT_TRUE(std::getline(found, own));
    expect_near(Json::parse(own), Json::parse(expected), expected);
  }
  EXPECT_GT(num_lines, 0);
}

TEST(ProgramOnADevice, Evaluates) {
  const Folder folder;
  std::string questions;
  for (int i = 0; i < 6; ++i) {
    questions += Json{{"index", i},
                      {"image", std::string(VLSI_TEST_DATA) + "/images/rgb_8.png"},
                      {"question", concat("is there a shape of ", i, " corners?")},
                      {"options", {"red", concat("blue ", i)}},
                      {"answer", i % 2 == 0 ? "A" : "B"}}
                     .dump() +
                 "\n";
  }
  const auto data = folder.write("questions.jsonl", questions);
  const Arguments evaluate{"evaluate", "--model", model("student"),   "--benchmark", "mmbench", "--profile", "lmms",
                           "--data",   data,      "--max-new-tokens", "6",           "--dtype", "float32"};
  for (const auto& [out, device] : {std::pair<std::string, Arguments>{"there", kOnDevice}, {"here", {}}}) {
    const auto result = vlsi_program(with(with(evaluate, {"--out", folder / out}), device), with_device());
    ASSERT_EQ(result.status, 0) << result.err;
  }
  EXPECT_EQ(content_of(folder / "there/predictions.jsonl"), content_of(folder / "here/predictions.jsonl"));
}

TEST(ProgramOnADevice, PlansForTheDeviceAndRefusesWhatItHasNoRoomFor) {
  const Folder folder;
  const auto run = write_run(folder);
  const auto planned = vlsi_program(with({"plan", run, "--json"}, kOnDevice), with_device());
  ASSERT_EQ(planned.status, 0) << planned.err;
  const auto plan = Json::parse(planned.out);
  EXPECT_EQ(plan.at("available_bytes"), int64_t{8} << 30);
  EXPECT_TRUE(plan.at("fits").get<bool>());
  EXPECT_EQ(plan.at("steps")[0].at("memory").at("program"), 0);
  auto small = with_device();
  small.environment["STAND_IN_BYTES"] = "200000";
  expect_refusal(vlsi_program(with({"distill", run}, kOnDevice), small),
                 {"starting the run", "195.3 KiB are available"});
}

TEST(ProgramOnADevice, NeedsTheDeviceThatIsAskedFor) {
  const Folder folder;
  const auto run = write_run(folder);
  expect_refusal(vlsi_program({"distill", run, "--device", "cuda"}),
                 {"run.yaml: key 'device' is 'cuda'", "no GPU here"});
  expect_refusal(vlsi_program({"distill", run, "--device", "privateuseone:3"}, with_device()),
                 {"key 'device' is 'privateuseone:3'", "none beyond number 0"});
  // Without a backend there is no such device at all.
  expect_refusal(vlsi_program({"distill", run, "--device", "privateuseone"}), {"privateuseone"});
}

TEST(ProgramOnADevice, TrainsOnTwoRanks) {
  const Folder one, two;
  const auto result =
      vlsi_program(with({"distill", write_run(one), "--set", "optimizer.accumulate=4"}, kOnDevice), with_device());
  ASSERT_EQ(result.status, 0) << result.err;
  expect_success(start_two_ranks(with({"distill", write_run(two)}, kOnDevice), {}, with_device()));
  const auto found = metrics_of(two / "run"), wanted = metrics_of(one / "run");
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    // Gradients are added in another order; a KL is the difference of cross entropies near six.
    const double loss = wanted[i].at("loss");
    EXPECT_NEAR(found[i].at("loss").get<double>(), loss, 1e-6 * std::max(6.0, loss)) << wanted[i].dump();
  }
}

}  // namespace
}  // namespace vlsi::cli_test
