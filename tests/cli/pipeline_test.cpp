// From random weights to an evaluated model, and the files on the way.
#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

std::vector<OrderedJson> json_lines(const fs::path& path) {
  std::vector<OrderedJson> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(OrderedJson::parse(line));
  return lines;
}

TEST(Init, WritesACompleteDirectoryThatDependsOnTheSeedOnly) {
  const Folder folder;
  const auto init = [&](const std::string& name, const std::string& seed) {
    return vlsi_program({"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"), "--out",
                         folder / name, "--seed", seed});
  };
  ASSERT_EQ(init("same", "1").status, 0);
  ASSERT_EQ(init("other", "5").status, 0);
  for (const char* file : {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                           "preprocessor_config.json", "chat_template.json", "model.safetensors"}) {
    EXPECT_TRUE(fs::exists(folder / "same" / file)) << file;
  }
  const auto weights = [](const fs::path& directory) { return content_of(directory / "model.safetensors"); };
  EXPECT_TRUE(weights(folder / "same") == weights(model("student")));
  EXPECT_FALSE(weights(folder / "other") == weights(model("student")));

  const auto before = weights(folder / "other");
  expect_refusal(init("other", "1"), {(folder / "other").string(), "not empty"});
  EXPECT_TRUE(weights(folder / "other") == before);
}

TEST(Init, RefusesAVocabularyThatDoesNotFit) {
  const Folder folder;
  auto config = content_of(tiny("student.json"));
  replace(config, "\"vocab_size\": 320", "\"vocab_size\": 319");
  replace(config, "\"video_token_id\": 319", "\"video_token_id\": 317");
  write_text(folder / "config.json", config);
  expect_refusal(vlsi_program({"init", "--config", folder / "config.json", "--tokenizer", tiny("tokenizer"), "--out",
                               folder / "out"}),
                 {"config.json", "319", "320"});
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(Init, RefusesEndTokensOutsideTheVocabulary) {
  const Folder folder;
  const auto refusal = [&](const std::string& from, const std::string& to) {
    auto config = content_of(tiny("student.json"));
    replace(config, from, to);
    write_text(folder / "config.json", config);
    return vlsi_program(
        {"init", "--config", folder / "config.json", "--tokenizer", tiny("tokenizer"), "--out", folder / "out"});
  };
  expect_refusal(refusal("  \"eos_token_id\": 314,\n", ""), {"config.json", "eos_token_id is 151645", "320 rows"});
  expect_refusal(refusal("  \"bos_token_id\": 312,\n", ""), {"config.json", "bos_token_id is 151643", "320 rows"});
  expect_refusal(refusal("\"eos_token_id\": 314", "\"eos_token_id\": [314, 320]"), {"eos_token_id is 320"});
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(Init, TakesTheVisionTowerOfAnotherModel) {
  const Folder folder;
  const auto result =
      vlsi_program({"init", "--config", tiny("student.json"), "--tokenizer", tiny("tokenizer"), "--out",
                    folder / "model", "--seed", "9", "--vision-from", model("teacher"), "--dtype", "bfloat16"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(vlsi_program({"inspect", folder / "model"}).out.find("bfloat16"), std::string::npos);
}

TEST(Inspect, TellsModelsVerbalizersAndRunsApart) {
  const auto run = finished_run() / "run";
  const auto of_model = vlsi_program({"inspect", model("student")});
  EXPECT_EQ(of_model.status, 0);
  EXPECT_NE(of_model.out.find("2 layers x 32"), std::string::npos) << of_model.out;
  EXPECT_NE(of_model.out.find("320 rows, head tied"), std::string::npos) << of_model.out;
  const auto of_verbalizers = vlsi_program({"inspect", run / "teacher-verbalizers"});
  EXPECT_EQ(of_verbalizers.status, 0);
  EXPECT_NE(of_verbalizers.out.find("verbalizers"), std::string::npos) << of_verbalizers.out;
  EXPECT_NE(of_verbalizers.out.find("1 2"), std::string::npos) << of_verbalizers.out;
  const auto of_run = vlsi_program({"inspect", run});
  EXPECT_EQ(of_run.status, 0);
  EXPECT_NE(of_run.out.find("interact: 5 iterations"), std::string::npos) << of_run.out;
  expect_refusal(vlsi_program({"inspect", tiny("")}), {"config.json"});
  expect_refusal(vlsi_program({"inspect", "/nowhere"}), {"inspecting /nowhere: there is no such directory"});
}

TEST(Distill, LeavesTheDocumentedRunDirectory) {
  const auto run = finished_run() / "run";
  for (const char* name :
       {"config.yaml", "metrics.jsonl", "summary.json", "version.json", "student-verbalizers/verbalizers.json",
        "student-verbalizers/verbalizers.safetensors", "teacher-verbalizers/verbalizers.json", "checkpoints/finetune-4",
        "checkpoints/finetune-2", "model/config.json", "model/model.safetensors", "model/tokenizer.json",
        "model/preprocessor_config.json"}) {
    EXPECT_TRUE(fs::exists(run / name)) << name;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(run / "checkpoints"), {}), 2);  // checkpoint.keep
  const auto config = content_of(run / "config.yaml");
  EXPECT_NE(config.find("seed: 3"), std::string::npos);
  EXPECT_NE(config.find("temperature: adaptive"), std::string::npos) << "defaults belong to the resolved configuration";
}

TEST(Distill, LogsEveryIterationOfEveryStep) {
  std::vector<std::pair<std::string, int64_t>> steps;
  for (const auto& line : metrics_of(finished_run() / "run")) {
    SCOPED_TRACE(line.dump());
    if (line.contains("validation_loss")) {
      EXPECT_TRUE(line["validation_loss"].is_number());
      continue;
    }
    const auto step = line.at("step").get<std::string>();
    const auto iteration = line.at("iteration").get<int64_t>();
    steps.emplace_back(step, iteration);
    for (const char* key : {"loss", "learning_rate", "answer_tokens"}) EXPECT_TRUE(line.at(key).is_number()) << key;
    EXPECT_TRUE(std::isfinite(line["loss"].get<double>()));
    if (step.starts_with("verbalize")) {
      EXPECT_EQ(line.at("layer_loss").size(), step == "verbalize-student" ? 1 : 2);
    } else if (step == "interact") {
      ASSERT_EQ(line.at("matches").size(), line.at("kl").size());
      EXPECT_EQ(line["matches"].size(), 2) << "one match a micro-batch and student layer";
      for (const auto& match : line["matches"]) {
        EXPECT_EQ(match.at(0), 1);
        EXPECT_TRUE(match.at(1) == 1 || match.at(1) == 2);
      }
      EXPECT_GE(line.at("last_kl").get<double>(), 0);
      EXPECT_EQ(line.contains("kl_matrix"), iteration == 1 || iteration % 2 == 0);
      if (line.contains("kl_matrix")) {
        ASSERT_EQ(line["kl_matrix"].size(), 1);
        EXPECT_EQ(line["kl_matrix"][0].size(), 2);
      }
    }
  }
  std::vector<std::pair<std::string, int64_t>> expected;
  for (const auto& [step, iterations] : {std::pair("verbalize-student", 4), std::pair("verbalize-teacher", 4),
                                         std::pair("interact", 5), std::pair("finetune", 4)}) {
    for (int64_t i = 1; i <= iterations; ++i) expected.emplace_back(step, i);
  }
  EXPECT_EQ(steps, expected);
  for (const auto& line : json_lines(finished_run() / "run/metrics.jsonl")) {
    if (line.contains("loss")) {
      EXPECT_GE(line.at("seconds").get<double>(), 0);
    }
  }
}

TEST(Finetune, TrainsTheStudentAloneAndLowersItsLoss) {
  const Folder folder;
  const auto result = vlsi_program({"finetune", write_run(folder), "--set", "finetune.iterations=30", "--set",
                                    "optimizer.learning_rate=0.01", "--set",
                                    "finetune.train=[decoder, embeddings, projector, vision]"});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto metrics = metrics_of(folder / "run");
  ASSERT_EQ(metrics.size(), 30);
  for (const auto& line : metrics) EXPECT_EQ(line["step"], "finetune");
  EXPECT_LT(metrics.back()["loss"].get<double>(), 0.5 * metrics.front()["loss"].get<double>());
  EXPECT_FALSE(fs::exists(folder / "run/student-verbalizers"));
}

TEST(Score, WritesOneLineAConversation) {
  const Folder folder;
  const Arguments arguments{
      "score", "--model", finished_run() / "run/model", "--data", tiny("train.json"), "--out", folder / "scores.jsonl"};
  const auto result = vlsi_program(arguments);
  ASSERT_EQ(result.status, 0) << result.err;
  const auto scores = json_lines(folder / "scores.jsonl");
  ASSERT_EQ(scores.size(), 12);
  for (size_t i = 0; i < scores.size(); ++i) {
    const auto& score = scores[i];
    SCOPED_TRACE(score.dump());
    EXPECT_EQ(score.at("id"), (i < 9 ? "q0" : "q") + std::to_string(i + 1));
    const auto logprobs = score.at("logprobs").get<std::vector<double>>();
    ASSERT_EQ(score.at("tokens").size(), logprobs.size());
    EXPECT_EQ(score["tokens"].back(), 314) << "the end of the turn";
    double sum = 0;
    for (const double logprob : logprobs) {
      EXPECT_LE(logprob, 0);
      sum -= logprob;
    }
    // One more rounding of a mean of a few float32 values.
    EXPECT_NEAR(score.at("loss").get<double>(), sum / static_cast<double>(logprobs.size()), 1e-6);
    EXPECT_EQ(score.at("num_image_tokens"), 1) << "16 x 16 pixels, one merged patch";
    EXPECT_GT(score.at("num_prompt_tokens").get<int64_t>(), 10);
  }

  auto in_small_batches = arguments;
  in_small_batches.back() = folder / "again.jsonl";
  in_small_batches.insert(in_small_batches.end(), {"--batch-tokens", "100"});
  ASSERT_EQ(vlsi_program(in_small_batches).status, 0);
  const auto again = json_lines(folder / "again.jsonl");
  ASSERT_EQ(again.size(), scores.size());
  // float32 sums of some hundred terms in another order.
  for (size_t i = 0; i < scores.size(); ++i)
    EXPECT_NEAR(again[i]["loss"].get<double>(), scores[i]["loss"].get<double>(), 1e-4);
}

TEST(Generate, PrintsTheTextOrJson) {
  const Arguments question{"generate",
                           "--model",
                           finished_run() / "run/model",
                           "--prompt",
                           "what shape is in the image?",
                           "--image",
                           fs::path(VLSI_TEST_DATA) / "images/rgb_8.png",
                           "--max-new-tokens",
                           "4"};
  auto with_json = question;
  with_json.emplace_back("--json");
  const auto text = vlsi_program(question), json = vlsi_program(with_json);
  ASSERT_EQ(text.status, 0) << text.err;
  ASSERT_EQ(json.status, 0) << json.err;
  const auto answer = OrderedJson::parse(json.out);
  EXPECT_EQ(json.out.back(), '\n');
  EXPECT_EQ(answer.at("text").get<std::string>() + "\n", text.out);
  EXPECT_LE(answer.at("tokens").size(), 4);
  EXPECT_TRUE(answer.at("finish_reason") == "length" || answer["finish_reason"] == "stop");
  EXPECT_EQ(answer.size(), 3);
}

TEST(Generate, RefusesPicturesItCannotRead) {
  const Folder folder;
  write_text(folder / "broken.png", content_of(fs::path(VLSI_TEST_DATA) / "images/rgb_8.png").substr(0, 60));
  for (const auto& [picture, part] : {std::pair("broken.png", "broken.png"), std::pair("absent.png", "absent.png")}) {
    expect_refusal(
        vlsi_program({"generate", "--model", model("student"), "--prompt", "x", "--image", folder / picture}), {part});
  }
}

TEST(Answer, WritesADataFileThatCanBeTrainedOnAndKeepsOtherKeys) {
  const Folder folder;
  const auto result = vlsi_program({"answer", "--model", model("teacher"), "--data", tiny("train.json"), "--out",
                                    folder / "answers.json", "--max-new-tokens", "3"});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto answers = read_json(folder / "answers.json"), questions = read_json(tiny("train.json"));
  ASSERT_TRUE(answers.is_array());
  ASSERT_GT(answers.size(), 0);
  for (const auto& record : answers) {
    const auto question =
        std::find_if(questions.begin(), questions.end(), [&](const Json& q) { return q["id"] == record.at("id"); });
    ASSERT_NE(question, questions.end());
    for (const char* key : {"image", "category"}) EXPECT_EQ(record.at(key), (*question)[key]);
    ASSERT_EQ(record.at("conversations").size(), 2);
    EXPECT_EQ(record["conversations"][0], (*question)["conversations"][0]);
    EXPECT_EQ(record["conversations"][1].at("from"), "gpt");
  }
  const auto score = vlsi_program({"score", "--model", model("teacher"), "--data", folder / "answers.json", "--images",
                                   tiny(""), "--out", folder / "scores.jsonl"});
  EXPECT_EQ(score.status, 0) << score.err;
}

TEST(Evaluate, CountsRightAnswersPerCategoryAndLeavesOtherFilesAlone) {
  const Folder folder;
  write_text(folder / "out/notes.txt", "mine");
  const auto result = vlsi_program({"evaluate", "--model", finished_run() / "run/model", "--benchmark", "easy-vqa",
                                    "--data", tiny("train.json"), "--out", folder / "out"});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto results = read_json(folder / "out/results.json");
  EXPECT_EQ(results.at("benchmark"), "easy-vqa");
  EXPECT_EQ(results.at("total"), 12);
  const std::map<std::string, int64_t> totals{{"color", 3}, {"shape", 3}, {"yesno", 6}};
  ASSERT_EQ(results.at("categories").size(), totals.size());
  int64_t right = 0;
  for (const auto& [category, total] : totals) {
    const auto& tally = results["categories"].at(category);
    EXPECT_EQ(tally.at("total"), total);
    EXPECT_EQ(tally.at("accuracy").get<double>(), tally.at("right").get<double>() / static_cast<double>(total));
    right += tally["right"].get<int64_t>();
    EXPECT_NE(result.out.find(category), std::string::npos);
  }
  EXPECT_EQ(results.at("right"), right);
  const auto predictions = json_lines(folder / "out/predictions.jsonl");
  ASSERT_EQ(predictions.size(), 12);
  int64_t right_lines = 0;
  for (const auto& line : predictions) {
    for (const char* key : {"id", "category", "answer", "expected", "right"}) EXPECT_TRUE(line.contains(key)) << key;
    right_lines += line["right"].get<bool>();
  }
  EXPECT_EQ(right_lines, right);
  EXPECT_EQ(content_of(folder / "out/notes.txt"), "mine");
}

TEST(Program, FailsWhenItsOutputCannotBeWritten) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const auto result = vlsi_program({"inspect", model("student")}, {.out_file = "/dev/full"});
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("standard output"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace vlsi::cli_test
