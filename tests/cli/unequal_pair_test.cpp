// Runs of a teacher with other limits of pictures, another mean and std than the student: resumed, on two ranks, from a
// cache.
#include "tests/cli/resumed_run.h"
#include "tests/cli/two_ranks.h"

namespace vlsi::cli_test {
namespace {

/// The teacher with other picture settings, in `folder`: pictures of the data become 6 tokens in place of the student's
/// 1, or 1 where the student's copy makes them 6.
fs::path other_eyes(const fs::path& folder, const std::string& who, bool sees_more) {
  fs::copy(model(who), folder / who, fs::copy_options::recursive);
  const auto path = folder / who / "preprocessor_config.json";
  auto json = read_json(path);
  json["min_pixels"] = sees_more ? 1024 : 256;
  if (who == "teacher") json["image_mean"] = {0.5, 0.4, 0.3}, json["image_std"] = {0.2, 0.3, 0.4};
  write_text(path, json.dump());
  return folder / who;
}

Arguments unequal_pair(const fs::path& folder, bool teacher_sees_more) {
  return {"--set", "teacher.model=" + other_eyes(folder, "teacher", teacher_sees_more).string(), "--set",
          "student.model=" + other_eyes(folder, "student", !teacher_sees_more).string()};
}

/// The pair whose teacher sees more.
const Arguments& pair() {
  static const Folder folder;
  static const auto arguments = unequal_pair(folder.path(), /*teacher_sees_more=*/true);
  return arguments;
}

TEST(UnequalPair, ResumesBitForBit) {
  const Folder whole, stopped;
  const auto arguments = with(pair(), {"--set", "checkpoint.every=1", "--set", "checkpoint.keep=100"});
  ASSERT_NO_FATAL_FAILURE(resume_in_interaction(whole, stopped, arguments));
  expect_same_run(stopped / "run", whole / "run");
}

// Losses differ by the order in which gradients are added up.
TEST(UnequalPair, GivesOnTwoRanksWhatOneGivesWithTwiceTheAccumulation) {
  const Folder one, two, held;
  ASSERT_EQ(distill(one, with(pair(), {"--set", "optimizer.accumulate=4"})).status, 0);
  expect_success(start_two_ranks(with({"distill", write_run(two)}, pair())));
  const auto found = metrics_of(two / "run"), wanted = metrics_of(one / "run");
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    for (const char* key : {"step", "answer_tokens", "tokens", "matches"})
      EXPECT_EQ(found[i].value(key, OrderedJson()), wanted[i].value(key, OrderedJson())) << key;
    EXPECT_NEAR(found[i].at("loss").get<double>(), wanted[i].at("loss").get<double>(), 1e-5) << wanted[i].dump();
  }
  // A teacher that they hold together is the same one.
  expect_success(
      start_two_ranks(with({"distill", write_run(held)}, with(pair(), {"--set", "teacher.residency=sharded"}))));
  expect_same_run(held / "run", two / "run");
}

TEST(UnequalPair, HasAStreamedTeacherThatSaysTheSame) {
  const Folder resident, streamed;
  ASSERT_EQ(distill(resident, pair()).status, 0);
  ASSERT_EQ(distill(streamed, with(pair(), {"--set", "teacher.residency=streamed"})).status, 0);
  expect_same_run(streamed / "run", resident / "run");
}

// The rows are rounded to float16, which moves losses by some 1e-5 nats, as in Cache.StandsInForTheTeacherOfARun. The
// student sees more, so that its side alone fills the micro-batches of both runs.
TEST(UnequalPair, LearnsFromACacheWhatItLearnsFromTheTeacher) {
  const Folder models, live, cached;
  const auto arguments = unequal_pair(models.path(), /*teacher_sees_more=*/false);
  ASSERT_EQ(distill(live, arguments).status, 0);
  const auto made = vlsi_program(with({"cache", write_run(live), "--out", live / "cache"}, arguments));
  ASSERT_EQ(made.status, 0) << made.err;
  const Arguments from_cache{"--set", "teacher.cache=" + (live / "cache").string()};
  const auto result = distill(cached, with(arguments, from_cache));
  ASSERT_EQ(result.status, 0) << result.err;
  auto lines = metrics_of(live / "run");
  std::erase_if(lines, [](const auto& line) { return line["step"] == "verbalize-teacher"; });
  const auto found = metrics_of(cached / "run");
  ASSERT_EQ(found.size(), lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    SCOPED_TRACE(lines[i].dump());
    for (const char* key : {"step", "answer_tokens", "tokens", "matches"})
      EXPECT_EQ(found[i].value(key, OrderedJson()), lines[i].value(key, OrderedJson())) << key;
    for (const char* key : {"loss", "last_kl"})
      EXPECT_NEAR(found[i].value(key, 0.0), lines[i].value(key, 0.0), 1e-4) << key;
  }

  // Each side's input is known again.
  const Folder refused;
  expect_refusal(
      distill(refused, with(with(arguments, from_cache), {"--set", "teacher.model=" + model("teacher").string()})),
      {"its teacher's picture pre-processing is 'merged patches, 256 to 4096 pixels"});
  expect_refusal(
      distill(refused, with(with(arguments, from_cache), {"--set", "student.model=" + model("student").string()})),
      {"its picture pre-processing is 'merged patches, 1024 to 4096 pixels"});
  const auto inspected = vlsi_program({"inspect", live / "cache"});
  EXPECT_NE(inspected.out.find("teacher's   tokenizer "), std::string::npos) << inspected.out;
}

}  // namespace
}  // namespace vlsi::cli_test
