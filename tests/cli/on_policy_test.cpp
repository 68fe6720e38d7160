// Runs in which the student's own answers are read: repeated, resumed, on two ranks, and refused.
#include "tests/cli/resumed_run.h"
#include "tests/cli/two_ranks.h"

namespace vlsi::cli_test {
namespace {

const Arguments kDrawn{"--set", "interact.on_policy.share=0.7", "--set", "interact.on_policy.max_new_tokens=6"};

std::vector<OrderedJson> interaction_of(const fs::path& run) {
  std::vector<OrderedJson> lines;
  for (const auto& line : metrics_of(run)) {
    if (line.at("step") == "interact") lines.push_back(line);
  }
  return lines;
}

TEST(OnPolicy, WithAShareOfNothingIsTheRunWithout) {
  const Folder folder;
  const auto result = distill(folder, {"--set", "interact.on_policy.share=0", "--set", "interact.on_policy.every=2"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Folder without;
  ASSERT_EQ(distill(without).status, 0);
  expect_same_run(folder / "run", without / "run");
}

TEST(OnPolicy, SaysHowManyAnswersWereDrawnAndHowLongTheyAre) {
  const Folder folder;
  const auto result = distill(folder, with(kDrawn, {"--only", "verbalize"}));
  ASSERT_EQ(result.status, 0) << result.err;
  ASSERT_EQ(distill(folder, with(kDrawn, {"--resume"})).status, 0);
  std::ifstream file(folder / "run/metrics.jsonl");
  int num_lines = 0;
  for (std::string text; std::getline(file, text);) {
    const auto line = OrderedJson::parse(text);
    if (line.at("step") != "interact") {
      EXPECT_FALSE(line.contains("on_policy_share"));
      continue;
    }
    ++num_lines;
    EXPECT_GE(line.at("on_policy_share").get<double>(), 0.2);
    EXPECT_LE(line.at("on_policy_share").get<double>(), 1);
    EXPECT_GT(line.at("on_policy_tokens").get<double>(), 0);
    EXPECT_LE(line.at("on_policy_tokens").get<double>(), 6);
    EXPECT_GE(line.at("on_policy_ended").get<double>(), 0);
    EXPECT_GT(line.at("generation_seconds").get<double>(), 0);
    EXPECT_TRUE(line.at("last_kl").is_number());
  }
  EXPECT_EQ(num_lines, 5);
}

class OnPolicyResumed : public testing::TestWithParam<const char*> {};

TEST_P(OnPolicyResumed, GoesOnBitForBit) {
  const Folder whole, stopped;
  const auto arguments = with(kDrawn, {"--set", std::string("interact.on_policy.every=") + GetParam(), "--set",
                                       "checkpoint.every=1", "--set", "checkpoint.keep=100"});
  // The second iteration is in the middle of a period of three or four.
  ASSERT_NO_FATAL_FAILURE(resume_in_interaction(whole, stopped, arguments));
  expect_same_run(stopped / "run", whole / "run");
}

INSTANTIATE_TEST_SUITE_P(Periods, OnPolicyResumed, testing::Values("1", "3", "4"));

TEST(OnPolicy, FromADamagedMemoryIsRefused) {
  const Folder folder;
  const auto arguments = with(kDrawn, {"--only", "interact", "--set", "interact.intermediate_loss=none", "--set",
                                       "interact.on_policy.every=4"});
  ASSERT_EQ(distill(folder, arguments).status, 0);
  const auto path = folder / "run/checkpoints/interact-5/state.json";
  const auto good = read_json(path);
  ASSERT_FALSE(good.at("memory").at("answers").empty());
  const auto resume = [&](const std::string& memory) {
    auto state = good;
    state["memory"] = Json::parse(memory);
    write_text(path, state.dump());
    return distill(folder, with(arguments, {"--resume"}));
  };
  for (const auto& [memory, part] : std::vector<std::pair<std::string, std::string>>{
           {"3", "is an integer, expected an object"},
           {R"({"period": 0, "answers": []})", "key 'period' is 0"},
           {R"({"period": 5, "answers": [3]})", "entry 1: expected [fingerprint"},
           {R"({"period": 5, "answers": [[7, []]]})", "entry 1: the answer has 0 tokens"},
           {R"({"period": 5, "answers": [[7, [1000000]]]})", "entry 1: a token is 1000000, expected 0 to 319"}}) {
    SCOPED_TRACE(memory);
    expect_refusal(resume(memory), {"resuming from " + path.parent_path().string() + ": its memory: ", part});
  }
  EXPECT_EQ(resume(good.at("memory").dump()).status, 0);
}

TEST(OnPolicy, HasAStreamedTeacherThatSaysTheSame) {
  const Folder resident, streamed;
  ASSERT_EQ(distill(resident, kDrawn).status, 0);
  ASSERT_EQ(distill(streamed, with(kDrawn, {"--set", "teacher.residency=streamed"})).status, 0);
  expect_same_run(streamed / "run", resident / "run");
}

TEST(OnPolicy, DrawsWithAdaptersAsTheyAre) {
  const Folder folder;
  const auto result = distill(
      folder, with(kDrawn, {"--set", "student.lora.rank=4", "--set", "interact.train=[lora]", "--dtype", "bfloat16"}));
  EXPECT_EQ(result.status, 0) << result.err;
}

// Losses differ by the order in which gradients are added up; the draws would differ only where a random number falls
// within that.
TEST(OnPolicy, GivesOnTwoRanksWhatOneGivesWithTwiceTheAccumulation) {
  for (const char* every : {"1", "4"}) {
    SCOPED_TRACE(every);
    const auto arguments = with(kDrawn, {"--set", std::string("interact.on_policy.every=") + every});
    const Folder one, two, held;
    ASSERT_EQ(distill(one, with(arguments, {"--set", "optimizer.accumulate=4"})).status, 0);
    expect_success(start_two_ranks(with({"distill", write_run(two)}, arguments)));
    const auto found = interaction_of(two / "run"), wanted = interaction_of(one / "run");
    ASSERT_EQ(found.size(), wanted.size());
    ASSERT_EQ(found.size(), 5U);
    for (size_t i = 0; i < found.size(); ++i) {
      for (const char* key : {"answer_tokens", "tokens", "matches", "on_policy_share", "on_policy_tokens"})
        EXPECT_EQ(found[i].at(key), wanted[i].at(key)) << key;
      EXPECT_NEAR(found[i].at("loss").get<double>(), wanted[i].at("loss").get<double>(), 1e-5) << wanted[i].dump();
    }
    // A teacher that they hold together is the same one, whatever the number of their micro-batches.
    expect_success(
        start_two_ranks(with({"distill", write_run(held)}, with(arguments, {"--set", "teacher.residency=sharded"}))));
    expect_same_run(held / "run", two / "run");
  }
}

TEST(OnPolicy, IsReadByATeacherThatSeesOtherwise) {
  const Folder models, folder;
  fs::copy(model("teacher"), models / "teacher", fs::copy_options::recursive);
  auto json = read_json(models / "teacher/preprocessor_config.json");
  json["min_pixels"] = 1024;  // six tokens a picture in the place of one
  write_text(models / "teacher/preprocessor_config.json", json.dump());
  const auto result = distill(folder, with(kDrawn, {"--set", "teacher.model=" + (models / "teacher").string()}));
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(OnPolicy, WithWrongSettingsIsRefused) {
  const std::vector<std::pair<Arguments, std::vector<std::string>>> cases{
      {{"interact.on_policy.share=1.5"}, {"key 'interact.on_policy.share' is 1.5, expected 0 to 1"}},
      {{"interact.on_policy.share=-0.1"}, {"'interact.on_policy.share' is -0.1"}},
      {{"interact.on_policy.share=nan"}, {"interact.on_policy.share", "nan"}},
      {{"interact.on_policy.temperature=-1"}, {"'interact.on_policy.temperature' is -1, expected 0 to 100"}},
      {{"interact.on_policy.max_new_tokens=0"}, {"'interact.on_policy.max_new_tokens' is 0, expected 1 or more"}},
      {{"interact.on_policy.every=0"}, {"'interact.on_policy.every' is 0, expected 1 or more"}},
      {{"interact.on_policy.shares=0.5"}, {"'interact.on_policy.shares' is unknown", "'interact.on_policy.share'"}},
      {{"interact.on_policy.share=0.5", "interact.last_loss=ce"},
       {"'interact.on_policy.share' is 0.5, but interact.last_loss is ce", "its own answers"}},
      {{"interact.on_policy.share=0.5", "teacher.cache=/nowhere"},
       {"'interact.on_policy.share' is 0.5, but 'teacher.cache' is given", "not of the student's"}}};
  for (const auto& [settings, parts] : cases) {
    SCOPED_TRACE(settings.back());
    const Folder folder;
    Arguments arguments;
    for (const auto& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    expect_refusal(distill(folder, arguments), parts);
  }
}

TEST(OnPolicy, HasNoCache) {
  const Folder folder;
  expect_refusal(
      vlsi_program({"cache", write_run(folder), "--out", folder / "cache", "--set", "interact.on_policy.share=0.5"}),
      {"interact.on_policy.share", "'teacher.cache' is given"});
}

}  // namespace
}  // namespace vlsi::cli_test
