// What a user sees when a data file is wrong: file, record, key, in one line.
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

/// A data file with `bad` (JSON) as the third of four records, beside a picture.
fs::path data_with(const Folder& folder, const std::string& bad) {
  fs::copy_file(fs::path(VLSI_TEST_DATA) / "images/rgb_8.png", folder / "picture.png",
                fs::copy_options::overwrite_existing);
  const std::string good =
      R"({"id": "good", "image": "picture.png", "conversations": [{"from": "human", "value": "<image>\nwhat is it?"}, {"from": "gpt", "value": "red"}]})";
  write_text(folder / "data.json", "[\n" + good + ",\n" + good + ",\n" + bad + ",\n" + good + "\n]\n");
  return folder / "data.json";
}

Result score(const Folder& folder, const fs::path& data, const Arguments& more = {}) {
  Arguments arguments{"score", "--model", model("student"), "--data", data, "--out", folder / "scores.jsonl"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return vlsi_program(arguments);
}

Result train_on(const Folder& folder, const fs::path& data, const Arguments& more = {}) {
  Arguments arguments{"finetune", write_run(folder), "--set", "data.train=[{path: " + data.string() + "}]"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return vlsi_program(arguments);
}

const char* const kNoPicture =
    R"({"image": "absent.png", "conversations": [{"from": "human", "value": "<image>\nx"}, {"from": "gpt", "value": "y"}]})";

TEST(Data, ABadRecordIsNamedByFileRecordAndKey) {
  const std::vector<std::tuple<std::string, std::string, std::vector<std::string>>> cases{
      {"turns of a wrong type", R"({"conversations": "hello"})", {"conversations", "a string", "an array"}},
      {"text of a wrong type",
       R"({"conversations": [{"from": "human", "value": 3}, {"from": "gpt", "value": "y"}]})",
       {"conversations[0]", "value", "expected a string"}},
      {"an unknown role",
       R"({"conversations": [{"from": "robot", "value": "x"}, {"from": "gpt", "value": "y"}]})",
       {"conversations[0].from", "robot", "human"}},
      {"no answer", R"({"conversations": [{"from": "human", "value": "x"}]})", {"no answer"}},
      {"a picture of a wrong type",
       R"({"image": 5, "conversations": [{"from": "human", "value": "<image>x"}, {"from": "gpt", "value": "y"}]})",
       {"image", "expected a path"}},
      {"a place without a picture",
       R"({"conversations": [{"from": "human", "value": "<image>x"}, {"from": "gpt", "value": "y"}]})",
       {"1 places", "0 pictures"}},
      {"a picture that is not there",
       kNoPicture,
       {"there is no picture", "absent.png; relative paths start in", "`images`", "--images"}},
      {"a video",
       R"({"video": "a.mp4", "conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]})",
       {"video", "videos are not read"}},
      {"bytes that are not UTF-8",
       "{\"conversations\": [{\"from\": \"human\", \"value\": \"\xFF\xFE\"}, {\"from\": \"gpt\", \"value\": \"y\"}]}",
       {"UTF-8"}}};
  for (const auto& [name, record, parts] : cases) {
    SCOPED_TRACE(name);
    const Folder folder;
    auto expected = parts;
    expected.insert(expected.end(), {"data.json", "record 3", "line 4"});
    expect_refusal(score(folder, data_with(folder, record)), expected);
    EXPECT_FALSE(fs::exists(folder / "scores.jsonl"));
  }
}

TEST(Data, ABadRecordStopsTrainingInTheSameWords) {
  const Folder folder;
  expect_refusal(train_on(folder, data_with(folder, kNoPicture)), {"data.json", "record 3", "absent.png"});
}

TEST(Data, OfTheValidationThatCannotBeReadStopsARunBeforeItTrains) {
  const Folder folder;
  write_text(folder / "data.json", concat("[", kNoPicture, "]"));
  expect_refusal(distill(folder, {"--set", "data.validation=[{path: " + (folder / "data.json").string() + "}]"}),
                 {"data.json, record 1", "absent.png"});
  EXPECT_TRUE(metrics_of(folder / "run").empty());
}

TEST(Data, AFileOfAnotherKindIsRefused) {
  const std::vector<std::tuple<std::string, std::string, std::vector<std::string>>> cases{
      {"empty", "", {"empty"}},
      {"no records", "[]", {"empty"}},
      {"no JSON", "hello", {"line 1", "'h'"}},
      {"cut off", R"([{"conversations": [)", {"line 1", "ends inside record 1"}}};
  for (const auto& [name, text, parts] : cases) {
    SCOPED_TRACE(name);
    const Folder folder;
    write_text(folder / "data.json", text);
    auto expected = parts;
    expected.emplace_back("data.json");
    expect_refusal(score(folder, folder / "data.json"), expected);
  }
  const Folder folder;
  expect_refusal(score(folder, folder / "absent.json"), {"absent.json"});
}

TEST(Data, APathThatCannotBeLookedAtIsRefused) {
  const Folder folder;
  fs::create_symlink("loop", folder / "loop");
  for (const auto& path : {folder / "loop", folder / std::string(300, 'x')}) {
    SCOPED_TRACE(path);
    expect_refusal(score(folder, path), {"data: look at ", path.string()});
    expect_refusal(vlsi_program({"score", "--model", path, "--data", tiny("train.json"), "--out", folder / "out"}),
                   {path.string()});
    expect_refusal(vlsi_program({"finetune", write_run(folder), "--set", "student.model=" + path.string()}),
                   {path.string()});
  }
}

TEST(Data, AByteOrderMarkIsPassedOver) {
  const Folder folder;
  const auto path =
      data_with(folder, R"({"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]})");
  write_text(path, "\xEF\xBB\xBF" + content_of(path));
  const auto result = score(folder, path);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(num_lines(folder / "scores.jsonl"), 4);
}

TEST(Data, SkippedRecordsAreCountedAndListed) {
  const Folder folder;
  const auto path = data_with(folder, kNoPicture);
  const auto scored = score(folder, path, {"--skip-bad-records"});
  EXPECT_EQ(scored.status, 0) << scored.err;
  EXPECT_EQ(num_lines(folder / "scores.jsonl"), 3);
  const auto trained = train_on(folder, path, {"--set", "data.on_error=skip"});
  EXPECT_EQ(trained.status, 0) << trained.err;
  for (const auto& text : {scored.err, trained.err}) {
    EXPECT_NE(text.find("skipped"), std::string::npos) << text;
    EXPECT_NE(text.find("record 3"), std::string::npos) << text;
    EXPECT_NE(text.find("absent.png"), std::string::npos) << text;
  }
}

TEST(Data, OfWhichEveryRecordIsBadIsRefusedAlsoWhereBadOnesAreSkipped) {
  const Folder folder;
  write_text(folder / "data.json", concat("[", kNoPicture, "]"));
  write_text(folder / "scores.jsonl", "earlier");
  const std::vector<std::string> parts{"every one of the 1 records", "data.json", "left out", "absent.png"};
  expect_refusal(score(folder, folder / "data.json", {"--skip-bad-records"}), parts);
  EXPECT_EQ(content_of(folder / "scores.jsonl"), "earlier");
  expect_refusal(vlsi_program({"answer", "--model", model("student"), "--data", folder / "data.json", "--out",
                               folder / "answers.json", "--skip-bad-records"}),
                 parts);
  expect_refusal(distill(folder, {"--only", "finetune", "--set", "data.on_error=skip", "--set",
                                  "data.validation=[{path: " + (folder / "data.json").string() + "}]"}),
                 parts);
}

TEST(Data, ABrokenPictureIsNamed) {
  const Folder folder;
  const auto picture = content_of(fs::path(VLSI_TEST_DATA) / "images/rgb_8.png");
  write_text(folder / "broken.png", picture.substr(0, picture.size() / 2));
  expect_refusal(
      score(
          folder,
          data_with(
              folder,
              R"({"image": "broken.png", "conversations": [{"from": "human", "value": "<image>x"}, {"from": "gpt", "value": "y"}]})")),
      {"record 3", "broken.png"});
}

TEST(Data, ASampleAboveTheBudgetIsNamed) {
  const Folder folder;
  expect_refusal(train_on(folder, tiny("train.json"), {"--set", "data.sample_tokens=10"}),
                 {"train.json", "record", "tokens", "10"});
}

TEST(Data, AQuestionAboveTheModelsContextIsNamed) {
  const Folder folder;
  std::string question;
  for (int i = 0; i < 3000; ++i) question += " word";
  write_text(folder / "data.json", concat(R"([{"messages": [{"role": "user", "content": ")", question, R"("}]}])"));
  expect_refusal(vlsi_program({"answer", "--model", model("student"), "--data", folder / "data.json", "--out",
                               folder / "out.json"}),
                 {"data.json, record 1", "prompt has ", " tokens, more than the ",
                  "that the model's context and the cache (--cache-memory) have for it"});
}

TEST(Data, AQuestionWithoutItsAnswerCannotBeEvaluated) {
  const Folder folder;
  const auto path = data_with(
      folder,
      R"({"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}, {"from": "human", "value": "and?"}]})");
  expect_refusal(vlsi_program({"evaluate", "--model", model("student"), "--benchmark", "easy-vqa", "--data", path,
                               "--out", folder / "out", "--max-new-tokens", "1"}),
                 {"record 3", "ends with a question"});
}

}  // namespace
}  // namespace vlsi::cli_test
