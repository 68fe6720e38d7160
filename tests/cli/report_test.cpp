// vlsi report and vlsi lens on a run of the three steps.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

/// The data in a page.
OrderedJson data_of(const std::string& page) {
  const std::string start = R"(<script type="application/json" id="data">)";
  const auto begin = page.find(start) + start.size();
  return OrderedJson::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

OrderedJson report_of(const fs::path& run, const Folder& folder, const Arguments& more = {}) {
  Arguments arguments{"report", run, "--out", folder / "report.html"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto result = vlsi_program(arguments);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, (folder / "report.html").string() + "\n");
  return data_of(content_of(folder / "report.html"));
}

Arguments lens(const fs::path& model, const Arguments& more = {}) {
  Arguments arguments{"lens",
                      "--model",
                      model,
                      "--prompt",
                      "what color is the shape?",
                      "--image",
                      fs::path(VLSI_TEST_DATA) / "images/rgb_8.png",
                      "--max-new-tokens",
                      "16"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Report, ShowsTheRunAndTheLayersOfItsModels) {
  const Folder folder;
  const auto data = report_of(finished_run() / "run", folder, {"--samples", "2"});
  ASSERT_EQ(data["runs"].size(), 1U);
  const auto& run = data["runs"][0];
  EXPECT_TRUE(run["notes"].empty()) << run["notes"];
  EXPECT_EQ(run["finished"], true);
  EXPECT_EQ(run["settings"]["method"], "VLsI");
  EXPECT_EQ(run["steps"].size(), 4U);
  int64_t matches = 0;
  for (const auto& stretch : run["matching"]["stretches"]) {
    for (const auto& count : stretch["counts"][0]) matches += count.get<int64_t>();
  }
  EXPECT_EQ(matches, 5 * 2) << "iterations by micro-batches";
  ASSERT_EQ(run["samples"].size(), 2U);
  EXPECT_EQ(run["samples"][0]["id"], "q01");
  EXPECT_EQ(run["samples"][1]["id"], "q07") << "the middle of twelve";
  EXPECT_EQ(run["samples"][0]["expected"], "red");
  for (const auto& sample : run["samples"]) {
    EXPECT_TRUE(sample["problem"].is_null());
    EXPECT_TRUE(sample["pictures"][0].get<std::string>().starts_with("data:image/"));
    ASSERT_EQ(sample["panels"].size(), 3U) << run["sample_notes"];
    for (const auto& panel : sample["panels"]) {
      EXPECT_EQ(panel["lens"], "verbalizers");
      EXPECT_EQ(panel["layers"].size(), panel["role"] == "teacher" ? 3U : 2U);
      EXPECT_FALSE(panel["blank"].is_null());
    }
  }
}

TEST(Report, ShowsTheTokensThatLensGives) {
  const Folder folder;
  const auto sample = report_of(finished_run() / "run", folder, {"--sample-id", "q01"})["runs"][0]["samples"][0];
  const auto verbalizers = finished_run() / "run/student-verbalizers";
  const auto compare = [&](int panel, const Arguments& arguments) {
    const auto result = vlsi_program(arguments);
    ASSERT_EQ(result.status, 0) << result.err;
    const auto json = OrderedJson::parse(result.out);
    for (const char* key : {"lens", "answer", "layers", "blank"})
      EXPECT_EQ(json[key], sample["panels"][panel][key]) << key;
  };
  compare(0, lens(model("student"), {"--verbalizers", verbalizers, "--blank", "--json"}));
  compare(1, lens(finished_run() / "run/model",
                  {"--verbalizers", verbalizers, "--head", model("student"), "--blank", "--json"}));
  compare(2,
          lens(model("teacher"), {"--verbalizers", finished_run() / "run/teacher-verbalizers", "--blank", "--json"}));
}

/// A copy of the finished run in `folder`, whose data are `data` in YAML.
void copy_run_on(const Folder& folder, const std::string& data) {
  fs::copy(finished_run() / "run", folder / "run", fs::copy_options::recursive);
  auto config = content_of(folder / "run/config.yaml");
  for (size_t at; (at = config.find(tiny("train.json").string())) != config.npos;) {
    config.replace(at, tiny("train.json").string().size(), data);
  }
  write_text(folder / "run/config.yaml", config);
}

TEST(Report, TellsWhatIsNotThereAnyMore) {
  const Folder folder;
  copy_run_on(folder, folder / "data.json");
  fs::remove_all(folder / "run/model");
  auto config = content_of(folder / "run/config.yaml");
  replace(config, model("teacher").string(), (folder / "gone").string());
  write_text(folder / "run/config.yaml", config);

  const auto without_data = report_of(folder / "run", folder)["runs"][0];
  EXPECT_TRUE(without_data["samples"].empty());
  EXPECT_EQ(without_data["sample_notes"].size(), 3U) << without_data["sample_notes"];

  auto records = content_of(tiny("train.json"));
  for (size_t at; (at = records.find("../images")) != records.npos;) records.replace(at, 9, "deleted");
  write_text(folder / "data.json", records);
  const auto without_pictures = report_of(folder / "run", folder, {"--samples", "1"})["runs"][0];
  ASSERT_EQ(without_pictures["samples"].size(), 1U);
  EXPECT_NE(without_pictures["samples"][0]["problem"].get<std::string>().find("rgb_8.png"), std::string::npos);
  EXPECT_TRUE(without_pictures["samples"][0]["panels"].empty());
  EXPECT_FALSE(without_pictures["steps"].empty()) << "the rest is there";
}

TEST(Report, TakesSamplesOfAllFilesAndNotesWhatCannotBeRead) {
  const Folder folder;
  const auto record = [](const std::string& id) {
    return concat(R"({"id": ")", id, R"(", "messages": [{"role": "user", "content": "Q"}]})");
  };
  const auto second = folder.write("second.json", concat("[", record("second-0"), ", ", record("second-1"), "]"));
  const auto emptied = folder.write("emptied.json", "");
  const auto first = folder.write("first.json", concat("[", record("first-0"), R"(, {"id": "broken"}])"));
  copy_run_on(folder, concat(first.string(), "}, {path: ", emptied.string(), "}, {path: ", second.string()));
  const auto all = report_of(folder / "run", folder, {"--samples", "4"})["runs"][0];
  ASSERT_EQ(all["samples"].size(), 3U) << all["sample_notes"];
  EXPECT_EQ(all["samples"][0]["id"], "first-0");
  EXPECT_EQ(all["samples"][1]["id"], "second-0");
  EXPECT_EQ(all["samples"][2]["id"], "second-1");
  EXPECT_EQ(all["samples"][2]["panels"].size(), 3U) << all["sample_notes"];
  ASSERT_EQ(all["sample_notes"].size(), 2U);
  EXPECT_NE(all["sample_notes"][0].get<std::string>().find("emptied.json"), std::string::npos);
  EXPECT_NE(all["sample_notes"][1].get<std::string>().find("first.json, record 2"), std::string::npos);
  const auto chosen = report_of(folder / "run", folder, {"--sample-id", "second-1"})["runs"][0];
  ASSERT_EQ(chosen["samples"].size(), 1U);
  EXPECT_EQ(chosen["samples"][0]["id"], "second-1");
  expect_refusal(vlsi_program({"report", folder / "run", "--out", folder / "none.html", "--sample-id", "broken"}),
                 {"--sample-id", "first.json and 1 more has the id 'broken'; 1 cannot be read"});
}

TEST(Report, NotesVerbalizersThatDoNotFit) {
  const Folder folder;
  fs::copy(finished_run() / "run", folder / "run", fs::copy_options::recursive);
  fs::remove(folder / "run/teacher-verbalizers/verbalizers.safetensors");
  const auto run = report_of(folder / "run", folder, {"--samples", "1"})["runs"][0];
  EXPECT_EQ(run["samples"][0]["panels"].size(), 2U);
  ASSERT_EQ(run["sample_notes"].size(), 1U);
  EXPECT_NE(run["sample_notes"][0].get<std::string>().find("teacher-verbalizers"), std::string::npos);
}

TEST(Report, WithoutSamplesLoadsNoModel) {
  const Folder folder;
  const auto run = report_of(finished_run() / "run", folder, {"--samples", "0"})["runs"][0];
  EXPECT_TRUE(run["samples"].empty());
  EXPECT_EQ(run["sample_notes"].size(), 1U);
}

TEST(Report, ShowsResultsWithoutARunAndTablesThemBesideThePaper) {
  const Folder folder;
  folder.write("mine/results.json", R"({"benchmark": "mmmu", "score": 52.5, "profile": "vlsi"})");
  const auto mine = "ours=" + (folder / "mine").string();
  const auto out = folder / "report.html";
  const auto result = vlsi_program({"report", "--results", mine, "--with-paper", "--out", out});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto data = data_of(content_of(out));
  EXPECT_TRUE(data["runs"].empty());
  EXPECT_EQ(data["overview"]["models"][0]["name"], "ours");
  EXPECT_GT(data["overview"]["models"].size(), 40);
  const auto table = vlsi_program({"table", mine, "--columns", "2", "--with-paper"});
  EXPECT_EQ(table.status, 0) << table.err;
  for (const char* cell : {"51.4+", "52.5*"}) EXPECT_NE(table.out.find(cell), std::string::npos) << table.out;
  expect_refusal(vlsi_program({"table", mine, "--with-paper"}), {"'all'", "--columns", "3b"});
  expect_refusal(vlsi_program({"table"}), {"--with-paper"});
  expect_refusal(vlsi_program({"report", "--out", out}), {"--results", "--with-paper"});
  expect_refusal(vlsi_program({"report", "--results", folder / "none", "--out", out}), {"none: has no results.json"});
}

TEST(Report, RefusesWrongInput) {
  const Folder folder;
  const auto run = finished_run() / "run";
  const auto out = folder / "report.html";
  fs::create_directories(folder / "directory");
  expect_refusal(vlsi_program({"report", folder / "directory", "--out", out}), {"directory", "no run directory"});
  expect_refusal(vlsi_program({"report", run}), {"--out", "--serve"});
  expect_refusal(vlsi_program({"report", run, "--out", out, "--serve", "0"}), {"--out", "--serve"});
  expect_refusal(vlsi_program({"report", run, "--out", folder / "directory"}), {"directory", "file name"});
  expect_refusal(vlsi_program({"report", run, "--out", out, "--sample-id", "no such"}), {"--sample-id", "no such"});
  expect_refusal(vlsi_program({"report", run, "--out", out, "--device", "tpu"}), {"--device", "tpu"});
  expect_refusal(vlsi_program({"report", run, "--serve", "0", "--samples", "0", "--host", "192.0.2.1"}),
                 {"listening at 192.0.2.1"});
  EXPECT_FALSE(fs::exists(out));
  for (const Arguments& place :
       {Arguments{"--out", folder / "none/report.html"}, Arguments{"--serve", "0", "--host", "192.0.2.1"}}) {
    const auto result = vlsi_program(with({"report", run}, place));
    expect_refusal(result, {place.back()});
    EXPECT_EQ(result.err.find("reading the layers"), std::string::npos) << "before anything is loaded: " << result.err;
  }
}

/// The answer of the server at `port` to one request.
std::string http_get(int port, const std::string& target, const std::string& host = "localhost") {
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  EXPECT_EQ(::send(client, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
  std::string answer;
  char bytes[4096];
  for (ssize_t count; (count = ::recv(client, bytes, sizeof(bytes), 0)) > 0;)
    answer.append(bytes, static_cast<size_t>(count));
  ::close(client);
  return answer;
}

/// A served report, and the address that it printed.
class ServedReport {
 public:
  explicit ServedReport(const fs::path& run, const Arguments& more = {}) : out_(folder_ / "address") {
    Arguments arguments{"report", run, "--serve", "0", "--samples", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    program_ = std::make_unique<Program>(arguments, Surroundings{.out_file = out_});
    program_->wait_until([&] { return content_of(out_).ends_with('\n'); });
    address_ = content_of(out_);
    const auto colon = address_.find(':', 7);
    EXPECT_NE(colon, std::string::npos) << address_;
    port_ = std::stoi(address_.substr(colon + 1));
  }
  int port() const { return port_; }
  const std::string& address() const { return address_; }
  Result stop() {
    program_->signal(SIGINT);
    return program_->wait();
  }

 private:
  Folder folder_;
  std::string out_, address_;
  int port_ = 0;
  std::unique_ptr<Program> program_;
};

TEST(ServedReport, ShowsTheRunAsItGrowsAndNothingElse) {
  const Folder folder;
  write_text(folder / "run/metrics.jsonl", R"({"step":"finetune","iteration":1,"loss":2})"
                                           "\n");
  ServedReport served(folder / "run");
  EXPECT_TRUE(served.address().starts_with("http://127.0.0.1:"));
  EXPECT_EQ(data_of(http_get(served.port(), "/"))["live"], true);
  EXPECT_NE(http_get(served.port(), "/data.json").find(R"("lines":1)"), std::string::npos);
  for (const char* target :
       {"/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/metrics.jsonl", "/data.json/"}) {
    EXPECT_TRUE(http_get(served.port(), target).starts_with("HTTP/1.1 404 ")) << target;
  }
  EXPECT_TRUE(http_get(served.port(), "/data.json", "evil.example").starts_with("HTTP/1.1 403 "));

  std::ofstream(folder / "run/metrics.jsonl", std::ios::app) << R"({"step":"finetune","iteration":2,"loss":1})"
                                                                "\n";
  std::string answer;
  for (int i = 0; i < 100 && answer.find(R"("lines":2)") == answer.npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    answer = http_get(served.port(), "/data.json");
  }
  EXPECT_NE(answer.find(R"("lines":2)"), std::string::npos) << answer;
  EXPECT_EQ(served.stop().status, 0);
}

TEST(ServedReport, WantsItsTokenWhereOthersCanReachIt) {
  ServedReport served(finished_run() / "run", {"--host", "0.0.0.0"});
  const auto mark = served.address().find("?token=");
  ASSERT_NE(mark, std::string::npos) << served.address();
  auto query = served.address().substr(mark);
  query.pop_back();  // the line end
  for (const char* path : {"/", "/data.json", "/events"})
    EXPECT_TRUE(http_get(served.port(), path).starts_with("HTTP/1.1 401 ")) << path;
  EXPECT_TRUE(http_get(served.port(), "/data.json" + query, "elsewhere").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(served.stop().status, 0);
}

TEST(Lens, PrintsATableWithoutColoursIntoAFile) {
  const auto result =
      vlsi_program(lens(model("student"), {"--verbalizers", finished_run() / "run/student-verbalizers", "--blank"}));
  ASSERT_EQ(result.status, 0) << result.err;
  for (const char* part : {"read by: verbalizers", "output", "layer 1", "with blank pictures", " %"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << " in\n" << result.out;
  }
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos);
}

TEST(Lens, OfAPlainModelSaysThatItIsTheLogitLens) {
  const auto table = vlsi_program(lens(model("teacher")));
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_NE(table.out.find("logit lens (no verbalizers"), std::string::npos) << table.out;
  const auto json = vlsi_program(lens(model("teacher"), {"--json", "--answer", "red"}));
  ASSERT_EQ(json.status, 0) << json.err;
  const auto parsed = OrderedJson::parse(json.out);
  EXPECT_EQ(parsed["lens"], "logit lens");
  EXPECT_TRUE(parsed["verbalizers"].is_null());
  EXPECT_EQ(parsed["answer"]["text"], "red");
  EXPECT_EQ(parsed["answer"]["given"], true);
  EXPECT_EQ(parsed["layers"].size(), 3U);
  EXPECT_TRUE(parsed["blank"].is_null());
}

TEST(Lens, WritesAPageOfTheSame) {
  const Folder folder;
  const auto result = vlsi_program(lens(model("teacher"), {"--html", folder / "lens.html", "--json"}));
  ASSERT_EQ(result.status, 0) << result.err;
  const auto data = data_of(content_of(folder / "lens.html"));
  EXPECT_TRUE(data["runs"].empty());
  EXPECT_EQ(data["lens"]["panels"][0], OrderedJson::parse(result.out));
  EXPECT_EQ(data["lens"]["pictures"].size(), 1U);
}

TEST(Lens, ReadsAModelInTheDtypeOfItsVerbalizers) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--dtype", "bfloat16", "--only", "verbalize"}).status, 0);
  const Arguments verbalizers{"--verbalizers", folder / "run/student-verbalizers", "--json"};
  const auto usual = vlsi_program(lens(model("student"), verbalizers));
  ASSERT_EQ(usual.status, 0) << usual.err;
  EXPECT_EQ(vlsi_program(lens(model("student"), with(verbalizers, {"--dtype", "bfloat16"}))).out, usual.out);
  expect_refusal(vlsi_program(lens(model("student"), with(verbalizers, {"--dtype", "float32"}))),
                 {"trained in bfloat16, and are to read a model in float32"});
}

TEST(Lens, RefusesWrongInput) {
  const auto verbalizers = finished_run() / "run/student-verbalizers";
  expect_refusal(vlsi_program(lens(model("student"), {"--head", model("teacher")})), {"--head", "--verbalizers"});
  expect_refusal(vlsi_program(lens(model("student"), {"--layers", "1"})), {"--layers", "--verbalizers"});
  expect_refusal(vlsi_program(lens(model("student"), {"--verbalizers", verbalizers, "--layers", "2"})),
                 {"there is none for layer 2"});
  expect_refusal(vlsi_program(lens(model("student"), {"--verbalizers", "nowhere"})), {"nowhere"});
  expect_refusal(vlsi_program(lens(model("teacher"), {"--verbalizers", verbalizers})), {"trained on a backbone"});
  expect_refusal(vlsi_program({"lens", "--model", model("student"), "--prompt", "x", "--blank"}),
                 {"--blank", "--image"});
  const Folder folder;
  expect_refusal(vlsi_program({"lens", "--model", "nowhere", "--prompt", "x", "--html", folder / "none/lens.html"}),
                 {"none/lens.html"});
}

}  // namespace
}  // namespace vlsi::cli_test
