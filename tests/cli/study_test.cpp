// Studies of tiny models: killed and resumed, stopped, with a run that fails, merged.
#include <set>

#include "tests/cli/program.h"

namespace vlsi::cli_test {
namespace {

std::string run_file(const std::string& more) {
  return "dtype: float32\nteacher: {model: " + model("teacher").string() +
         ", layers: [1, 2]}\nstudent: {model: " + model("student").string() +
         ", layers: [1]}\ndata: {train: [{path: " + tiny("train.json").string() +
         "}], batch_tokens: 300}\noptimizer: {learning_rate: 1.0e-3, accumulate: 2}\n" +
         "checkpoint: {every: 5, keep: 2}\n" + more;
}

/// Two variants with two seeds, of verbalizers that a seed's variants share.
std::string write_study(const Folder& folder, const std::string& more_of_last = "") {
  folder.write("words.yaml",
               run_file("verbalize: {iterations: 4}\ninteract: {iterations: 0}\nfinetune: {iterations: 0}\n"));
  folder.write("run.yaml", run_file("interact: {iterations: 30, train: [decoder]}\nfinetune: {iterations: 10}\n"));
  const auto path = [&](const char* name) { return (folder / name).string(); };
  return folder.write("study.yaml", "out: " + path("out") +
                                        "\nseeds: [1, 2]\nthreads: 1\ncores: 2\nbaseline: last\nstages:\n" +
                                        "  - {name: words, command: distill, run: " + path("words.yaml") + "}\n" +
                                        "  - name: student\n    command: distill\n    run: " + path("run.yaml") +
                                        "\n    set: [teacher.verbalizers=$words/teacher-verbalizers, "
                                        "student.verbalizers=$words/student-verbalizers]\n"
                                        "variants:\n"
                                        "  - {name: vlsi, title: VLsI}\n"
                                        "  - {name: last, set: [interact.intermediate_loss=none" +
                                        more_of_last +
                                        "]}\n"
                                        "evaluate:\n"
                                        "  - {name: train, options: [benchmark=easy-vqa, data=" +
                                        tiny("train.json").string() + ", max-new-tokens=2]}\n");
}

/// What a study found, without time, memory and paths.
OrderedJson found_in(const fs::path& out) {
  auto runs = OrderedJson::parse(content_of(out / "results.json"))["runs"];
  for (auto& run : runs) {
    for (const char* key : {"seconds", "seconds_with_inputs", "peak_memory_bytes"}) run.erase(key);
  }
  return runs;
}

const Folder& undisturbed_study() {
  static const Folder folder;
  static const bool done = [] {
    const auto result = vlsi_program({"study", write_study(folder), "--page", folder / "out/page.html"});
    EXPECT_EQ(result.status, 0) << result.err;
    return true;
  }();
  static_cast<void>(done);
  return folder;
}

/// The study of these seeds has found what the undisturbed one did, and left the same files.
void expect_the_undisturbed_end(const Folder& folder, const std::set<uint64_t>& seeds) {
  auto expected = found_in(undisturbed_study() / "out");
  std::erase_if(expected.get_ref<OrderedJson::array_t&>(),
                [&](const OrderedJson& run) { return !seeds.contains(run["seeds"][0].get<uint64_t>()); });
  EXPECT_EQ(found_in(folder / "out"), expected);
  for (const auto& run : expected) {
    const auto place = run["folder"].get<std::string>();
    for (const std::string file : {"/model/model.safetensors"}) {
      EXPECT_TRUE(content_of(folder / "out" / (place + file)) ==
                  content_of(undisturbed_study() / "out" / (place + file)))
          << place << " differs";
    }
    EXPECT_EQ(metrics_of(folder / "out" / place), metrics_of(undisturbed_study() / "out" / place));
  }
}

TEST(Study, PrintsTablesAndRepeatsNothing) {
  const auto& folder = undisturbed_study();
  const auto plan = vlsi_program({"study", write_study(folder), "--dry-run"});
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_NE(plan.out.find("10 stages for 4 results of 2 variants with 2 seeds: 2 shared, 10 done"), std::string::npos)
      << plan.out;
  const auto before = files_in(folder / "out/stages");
  const auto again = vlsi_program({"study", write_study(folder)});
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.out.find("train, minus last"), std::string::npos) << again.out;
  EXPECT_NE(again.out.find("VLsI"), std::string::npos) << again.out;
  EXPECT_TRUE(files_in(folder / "out/stages") == before);
  EXPECT_TRUE(fs::exists(folder / "out/seed-2/last/model/config.json")) << "the link for people";
}

TEST(Study, ThatIsKilledGoesOnToTheSameTables) {
  const Folder folder;
  const auto study = write_study(folder);
  for (const auto& [place, lines] :
       {std::pair("seed-1/vlsi", 12), std::pair("seed-2/words", 1), std::pair("seed-2/last", 34)}) {
    Program program({"study", study});
    program.wait_until([&] { return num_lines(folder / "out" / std::string(place) / "metrics.jsonl") >= lines; });
    program.signal(SIGKILL);
    program.wait();
  }
  const auto result = vlsi_program({"study", study});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_the_undisturbed_end(folder, {1, 2});
}

TEST(Study, ThatIsStoppedPassesItOnAndGoesOn) {
  const Folder folder;
  const Arguments study{"study", write_study(folder), "--set", "seeds=[1]"};
  Program program(study);
  program.wait_until([&] { return num_lines(folder / "out/seed-1/student/metrics.jsonl") >= 10; });
  program.signal(SIGINT);
  const auto stopped = program.wait();
  EXPECT_EQ(stopped.status, 1) << stopped.err;
  EXPECT_NE(stopped.err.find("the same command goes on"), std::string::npos) << stopped.err;
  EXPECT_FALSE(fs::is_empty(folder / "out/seed-1/student/checkpoints"));
  ASSERT_EQ(vlsi_program(study).status, 0);
  expect_the_undisturbed_end(folder, {1});
}

TEST(Study, AsksNoQuestionAgainOfAnEvaluationThatWasStopped) {
  const auto& folder = undisturbed_study();
  const auto found = found_in(folder / "out");
  const auto evaluation = fs::canonical(folder / "out/seed-1/student-train");
  // Of every other stage: its model, its metrics, its log.
  const auto files_of_others = [&] {
    auto files = files_in(folder / "out/stages");
    std::erase_if(files, [&](const auto& file) { return file.first.starts_with(evaluation.filename().string()); });
    return files;
  };
  const auto others = files_of_others();
  // As if it had been killed before it judged the answers.
  fs::remove(evaluation / "stage.json");
  fs::remove(evaluation / "results.json");
  const auto asked = fs::last_write_time(evaluation / "answers/000000.json");
  const auto result = vlsi_program({"study", write_study(folder)});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(content_of(evaluation / "log.txt").find("questions are answered in"), std::string::npos);
  EXPECT_TRUE(fs::last_write_time(evaluation / "answers/000000.json") == asked);
  EXPECT_EQ(found_in(folder / "out"), found);
  EXPECT_FALSE(others.empty());
  EXPECT_TRUE(files_of_others() == others) << "what was done is done again";
}

TEST(Study, GoesOnBesideARunThatFails) {
  const Folder folder;
  // Which layers there are is known when the model is read.
  const auto study = write_study(folder, ", 'student.layers=[77]'");
  const auto result = vlsi_program({"study", study, "--set", "seeds=[1]"});
  EXPECT_EQ(result.status, 1) << result.err;
  EXPECT_NE(result.err.find("last, seed 1: failed: "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("77"), std::string::npos) << "the run's own words: " << result.err;
  EXPECT_NE(result.err.find("last-train, seed 1: left out, its input failed"), std::string::npos) << result.err;
  EXPECT_NE(result.out.find("VLsI"), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find("last  "), std::string::npos) << result.out;
}

TEST(Study, IsRefusedBeforeAnythingStarts) {
  const Folder folder;
  const auto study = write_study(folder, ", interact.last_loss=none");
  expect_refusal(vlsi_program({"study", study}), {"study.yaml", "variant 'last'", "both none"});
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST(Study, OfTwoMachinesIsMerged) {
  const Folder first, second;
  for (const auto* machine : {&first, &second}) {  // whose stages are done
    fs::create_directories(*machine / "out");
    fs::copy(undisturbed_study() / "out/stages", *machine / "out/stages", fs::copy_options::recursive);
  }
  const auto study = write_study(first);
  ASSERT_EQ(vlsi_program({"study", study, "--set", "seeds=[1]"}).status, 0);
  ASSERT_EQ(vlsi_program({"study", write_study(second), "--set", "seeds=[2]"}).status, 0);
  const Arguments json{"--format", "json"};
  const auto merged = vlsi_program(with({"study", study, "--merge", second / "out"}, json));
  const auto whole = vlsi_program(with({"study", write_study(undisturbed_study())}, json));
  ASSERT_EQ(merged.status, 0) << merged.err;
  const auto tables = OrderedJson::parse(merged.out), expected = OrderedJson::parse(whole.out);
  ASSERT_EQ(tables[0]["rows"].size(), 2U);
  for (size_t row = 0; row < 2; ++row) {
    for (const char* key : {"variant", "score", "categories", "difference"}) {
      EXPECT_EQ(tables[0]["rows"][row][key], expected[0]["rows"][row][key]);
    }
  }
  auto results = OrderedJson::parse(content_of(second / "out/results.json"));
  for (auto& run : results["runs"]) run["seeds"] = {1};
  write_text(second / "out/results.json", results.dump());
  expect_refusal(vlsi_program({"study", study, "--merge", second / "out"}), {"seed 1 has other scores"});
}

TEST(Study, IsRunByOneProcessAtATime) {
  const Folder folder;
  const auto study = write_study(folder);
  Program program({"study", study});
  program.wait_until([&] { return fs::exists(folder / "out/stages"); });
  expect_refusal(vlsi_program({"study", study}), {"running the study", "another process"});
}

TEST(Study, GivesSeedsFoldersAndModelsItself) {
  const Folder folder;
  expect_refusal(vlsi_program({"study", write_study(folder, ", seed=7"), "--dry-run"}),
                 {"variant 'last'", "'seed=7': the study itself gives seed"});
}

TEST(Study, LooksAtItsOutputsBeforeItRuns) {
  const Folder folder;
  const auto study = write_study(folder);
  for (const char* option : {"--out", "--page"}) {
    expect_refusal(vlsi_program({"study", study, option, folder.path()}), {folder.path().string(), "Is a directory"});
  }
  EXPECT_FALSE(fs::exists(folder / "out/stages"));
}

}  // namespace
}  // namespace vlsi::cli_test
