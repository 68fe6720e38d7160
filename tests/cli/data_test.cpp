// A run's data read through, and the hub's names.
#include <fstream>
#include <iterator>

#include "tests/cli/program.h"
#include "tests/data/tar_writer.h"

namespace vlsi::cli_test {
namespace data_test {
namespace {

std::string turns(const std::string& question) {
  return R"({"conversations": [{"from": "human", "value": ")" + question + R"("}, {"from": "gpt", "value": "yes"}]})";
}

TEST(Data, IsCountedBySource) {
  const Folder folder;
  const auto picture = content_of(fs::path(VLSI_TEST_DATA) / "images/cmyk.jpg");
  write_text(folder / "set/train-0.tar",
             tar_of({{"0.jpg", picture}, {"0.json", turns("<image>What?")}, {"1.json", turns("Why?")}}));
  write_text(folder / "set/train-1.tar", tar_of({{"2.json", turns("Why?")}, {"3.jpg", picture}}));
  write_text(folder / "lines.jsonl", turns("Why?") + "\n" + turns("Who?") + "\n");
  const auto data = concat("data.train=[{path: ", (folder / "set").string(),
                           ", records: 5, name: tars}, {path: ", (folder / "lines.jsonl").string(), "}]");
  const auto run = write_run(folder);
  const auto result =
      vlsi_program({"data", run, "--json", "--set", data, "--set", "data.workers=2", "--set", "data.validation=[]",
                    "--set", "data.batch_tokens=8192", "--set", "data.sample_tokens=8192"});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto sources = Json::parse(result.out)["sources"];
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0]["name"], "tars");
  EXPECT_EQ(sources[0]["files"], 2);
  EXPECT_EQ(sources[0]["records"], 4);
  EXPECT_EQ(sources[0]["broken"], 1);
  EXPECT_EQ(sources[0]["repeated"], 1);
  EXPECT_EQ(sources[0]["pictures"], 1);
  EXPECT_EQ(sources[0]["distinct_pictures"], 1);
  EXPECT_EQ(sources[1]["records"], 2);
  EXPECT_EQ(sources[1]["repeated"], 1);
  EXPECT_EQ(sources[1]["pictures"], 0);
  EXPECT_GT(sources[0]["tokens"], sources[0]["picture_tokens"]);
  EXPECT_GT(sources[0]["picture_tokens"], 0);
  EXPECT_LE(sources[0]["shortest"], sources[0]["median"]);
  EXPECT_GT(sources[0]["longest"], sources[1]["longest"]);
  const auto text = vlsi_program({"data", run, "--set", data, "--set", "data.validation=[]"});
  EXPECT_NE(text.out.find("tars: has 4 records, expected 5\n"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("tars: broken: "), std::string::npos);
  EXPECT_NE(text.out.find("sample 2 (3): has no member 'json' and none 'txt'"), std::string::npos);
}

TEST(Data, ThatIsBrokenIsListedInOrder) {
  const Folder folder;
  std::string lines;
  constexpr int kRecords = 200;  // several threads' shares
  for (int i = 0; i < kRecords; ++i) lines += i % 10 == 3 ? concat(R"({"id": "n)", i, "\"}\n") : turns("Why?") + "\n";
  lines += "{\n";
  write_text(folder / "lines.jsonl", lines);
  write_text(folder / "good.jsonl", turns("Who?") + "\n");
  const auto data = concat("data.train=[{path: ", (folder / "lines.jsonl").string(),
                           ", name: lines}, {path: ", (folder / "good.jsonl").string(), ", records: 1}]");
  const Arguments arguments{"data",     write_run(folder),       "--set", data,
                            "--set",    "data.validation=[]",    "--set", "data.workers=3",
                            "--broken", folder / "broken.jsonl", "--set", "data.on_error=skip"};
  const auto result = vlsi_program(arguments);
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find("lines: broken: and 16 more; --broken FILE.jsonl lists all\n"), std::string::npos)
      << result.out;
  EXPECT_EQ(result.err.find("a run would end"), std::string::npos) << result.err;
  std::istringstream table(result.out);
  for (std::string line, word; std::getline(table, line);) {
    std::istringstream words(line);
    if (!(words >> word) || word != "expected") continue;
    const std::vector<std::string> cells{std::istream_iterator<std::string>(words), {}};
    EXPECT_EQ(cells, (std::vector<std::string>{"-", "1", "1"}));
  }
  std::vector<Json> broken;
  std::ifstream listed(folder / "broken.jsonl");
  for (std::string line; std::getline(listed, line);) broken.push_back(Json::parse(line));
  ASSERT_EQ(broken.size(), 21U);
  for (size_t i = 0; i + 1 < broken.size(); ++i) {
    EXPECT_EQ(broken[i]["source"], "lines");
    EXPECT_EQ(broken[i]["file"], (folder / "lines.jsonl").string());
    EXPECT_EQ(broken[i]["record"], 10 * i + 4);
    EXPECT_EQ(broken[i]["id"], concat("n", 10 * i + 3));
    EXPECT_NE(broken[i]["reason"].get<std::string>().find("are missing, expected one of them"), std::string::npos);
  }
  EXPECT_EQ(broken.back()["record"], 201);
  EXPECT_FALSE(broken.back().contains("id"));

  const auto stops = vlsi_program(with(arguments, {"--set", "data.on_error=stop"}));
  EXPECT_EQ(stops.status, 0) << "as without";
  EXPECT_NE(stops.err.find("a run would end at the first broken record of lines: on_error is stop"), std::string::npos)
      << stops.err;
  expect_refusal(vlsi_program({"data", write_run(folder), "--broken", folder / "none/broken.jsonl"}), {"broken.jsonl"});
}

TEST(Data, HasTheLengthsOfTheModelThatIsShownMore) {
  const Folder folder;
  fs::copy(model("teacher"), folder / "teacher", fs::copy_options::recursive);
  const auto path = folder / "teacher/preprocessor_config.json";
  auto settings = read_json(path);
  settings["min_pixels"] = 1024;  // 6 tokens for a picture, which is 1 to the student
  write_text(path, settings.dump());
  const auto survey = [&](const fs::path& teacher) {
    const auto result = vlsi_program({"data", write_run(folder), "--json", "--set",
                                      concat("teacher.model=", teacher.string()), "--set", "data.validation=[]"});
    EXPECT_EQ(result.status, 0) << result.err;
    return Json::parse(result.out)["sources"][0];
  };
  const auto alike = survey(model("teacher")), unlike = survey(folder / "teacher");
  EXPECT_EQ(unlike["broken"], 0);
  EXPECT_EQ(unlike["tokens"], alike["tokens"]);
  for (const char* length : {"shortest", "median", "95_percent", "longest"}) {
    EXPECT_EQ(unlike[length].get<int64_t>(), alike[length].get<int64_t>() + 5) << length;
  }
}

TEST(Data, ThatCannotBeOpenedIsNamedAndTheRestRead) {
  const Folder folder;
  write_text(folder / "lines.jsonl", turns("Why?"));
  const auto data = concat("data.train=[{path: org/set/part}, {path: ", (folder / "lines.jsonl").string(), "}]");
  const auto result = vlsi_program({"data", write_run(folder), "--json", "--set", data, "--set", "data.validation=[]"},
                                   {.environment = {{"HF_HUB_CACHE", folder.path().string()}}});
  EXPECT_EQ(result.status, 2);
  const auto sources = Json::parse(result.out)["sources"];
  EXPECT_NE(sources[0]["problem"].get<std::string>().find("hf download org/set --repo-type dataset"),
            std::string::npos);
  EXPECT_EQ(sources[0]["records"], 0);
  EXPECT_TRUE(sources[1]["problem"].is_null());
  EXPECT_EQ(sources[1]["records"], 1);
}

TEST(Data, ThatCannotBeLookedAtIsNamedAndTheRestRead) {
  const Folder folder;
  write_text(folder / "lines.jsonl", turns("Why?"));
  fs::create_symlink("loop", folder / "loop");
  const auto data =
      concat("data.train=[{path: ", (folder / "loop").string(), "}, {path: ", (folder / "lines.jsonl").string(), "}]");
  const auto result = vlsi_program({"data", write_run(folder), "--json", "--set", data, "--set", "data.validation=[]"});
  EXPECT_EQ(result.status, 2);
  const auto sources = Json::parse(result.out)["sources"];
  EXPECT_NE(sources[0]["problem"].get<std::string>().find("data: look at "), std::string::npos);
  EXPECT_EQ(sources[1]["records"], 1);
}

TEST(Hub, NamesOfModelsAreFoundInTheCache) {
  const Folder folder;
  const auto cache = folder / "hub";
  write_text(cache / "models--org--tiny/refs/main", "c0ffee");
  fs::create_directories(cache / "models--org--tiny/snapshots");
  fs::create_directory_symlink(model("student"), cache / "models--org--tiny/snapshots/c0ffee");
  const Surroundings surroundings{.environment = {{"HF_HUB_CACHE", cache.string()}}};
  write_text(folder / "lines.jsonl", turns("Why?"));
  const auto score = [&](const std::string& name) {
    return vlsi_program({"score", "--model", name, "--data", folder / "lines.jsonl", "--out", folder / "scores.jsonl"},
                        surroundings);
  };
  const auto found = score("org/tiny");
  EXPECT_EQ(found.status, 0) << found.err;
  expect_refusal(score("org/other"), {"there is no model org/other", "hf download org/other"});
  const auto data = concat("data.train=[{path: ", (folder / "lines.jsonl").string(), "}]");
  const auto run = vlsi_program(
      {"data", write_run(folder), "--set", "student.model=org/tiny", "--set", data, "--set", "data.validation=[]"},
      surroundings);
  EXPECT_EQ(run.status, 0) << run.err;
}

}  // namespace
}  // namespace data_test
}  // namespace vlsi::cli_test
