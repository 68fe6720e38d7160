// vlsi cache, and runs that read what it made.
#include <regex>

#include "tests/cli/program.h"
#include "tests/cli/resumed_run.h"

namespace vlsi::cli_test {
namespace {

Result cache(const Folder& folder, const Arguments& more = {}, const Surroundings& surroundings = {}) {
  return vlsi_program(with({"cache", write_run(folder)}, more), surroundings);
}

/// A run of all three steps with the live teacher, and the cache of its verbalized teacher.
struct LiveRun {
  Folder folder;
  LiveRun() {
    EXPECT_EQ(distill(folder).status, 0);
    const auto result = cache(folder, {"--out", folder / "cache"});
    EXPECT_EQ(result.status, 0) << result.err;
    log = result.err;
  }
  std::string log;  // of vlsi cache
};

const LiveRun& live_run() {
  static const LiveRun run;
  return run;
}

Arguments from_cache(const fs::path& directory) {
  return {"--set", "teacher.cache=" + directory.string(), "--set", "teacher.model=/nowhere"};
}

/// Data that take longer than a signal needs to arrive: many short records, and at the end one with a long answer.
fs::path write_many_records(const Folder& folder) {
  std::string text;
  const auto add = [&](int i, const std::string& answer) {
    text += R"({"id": "r)" + std::to_string(i) + R"(", "conversations": [{"from": "human", "value": "what is )" +
            std::to_string(i) + R"(?"}, {"from": "gpt", "value": ")" + answer + "\"}]}\n";
  };
  for (int i = 0; i < 200; ++i) add(i, "a shape");
  add(200, std::string(150, 'x'));
  write_text(folder / "many.jsonl", text);
  return folder / "many.jsonl";
}

/// Arguments of a cache of them with a shard for every batch; step 1's results are those of live_run().
Arguments many_shards(const Folder& folder) {
  return {"--set",         "interact.data.train=[{path: " + write_many_records(folder).string() + "}]",
          "--set",         "teacher.verbalizers=" + (live_run().folder / "run/teacher-verbalizers").string(),
          "--out",         folder / "cache",
          "--shard-bytes", "1"};
}

/// Finished shards of the cache in `folder`.
size_t num_shards(const Folder& folder) {
  size_t count = 0;
  std::error_code not_yet;
  for (const auto& entry : fs::directory_iterator(folder / "cache", not_yet))
    count += entry.path().extension() == ".safetensors" ? 1 : 0;
  return count;
}

/// The same files with the same bytes; the lock apart.
void expect_same_cache(const fs::path& a, const fs::path& b) {
  const auto names = [](const fs::path& directory) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(directory)) found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  };
  ASSERT_EQ(names(a), names(b));
  for (const auto& name : names(a)) {
    if (name == ".lock") continue;
    EXPECT_TRUE(content_of(a / name) == content_of(b / name)) << name << " differs";
  }
}

/// A cache of many_shards that nothing disturbed.
const fs::path& undisturbed_cache() {
  static const Folder folder;
  static const fs::path path = [] {
    const auto result = cache(folder, many_shards(folder));
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_GT(num_shards(folder), 10U);
    return folder / "cache";
  }();
  return path;
}

TEST(Cache, SaysItsSizeBeforeItStartsAndWhereItIs) {
  const auto& log = live_run().log;
  EXPECT_NE(log.find("answer positions x 3 layers x (2 x 32 + 4) bytes = "), std::string::npos) << log;
  EXPECT_NE(log.find("free in " + (live_run().folder / "cache").string()), std::string::npos) << log;
  EXPECT_LT(log.find("free in"), log.find("done: ")) << log;
  const auto inspected = vlsi_program({"inspect", live_run().folder / "cache"});
  EXPECT_EQ(inspected.status, 0) << inspected.err;
  for (const char* part : {"a teacher cache\n", "1 2 and the last one", "float16 x 32, of 320 vocabulary rows",
                           "in 1 shards", "dtype float32", "tokenizer "}) {
    EXPECT_NE(inspected.out.find(part), std::string::npos) << "no " << part << " in:\n" << inspected.out;
  }
}

// float16 rounds each value of an expected row by up to 2^-11 of itself, which moves a loss of the interaction by some
// 1e-6 nats and, through the updates, losses of the fine-tuning by some 1e-5. The bound leaves room for other machines.
TEST(Cache, StandsInForTheTeacherOfARun) {
  const Folder folder;
  const auto result = distill(folder, from_cache(live_run().folder / "cache"));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_FALSE(fs::exists(folder / "run/teacher-verbalizers"));
  auto live = metrics_of(live_run().folder / "run");
  std::erase_if(live, [](const auto& line) { return line["step"] == "verbalize-teacher"; });
  const auto cached = metrics_of(folder / "run");
  ASSERT_EQ(cached.size(), live.size());
  for (size_t i = 0; i < live.size(); ++i) {
    SCOPED_TRACE(live[i].dump());
    EXPECT_EQ(cached[i]["step"], live[i]["step"]);
    EXPECT_EQ(cached[i]["answer_tokens"], live[i]["answer_tokens"]);
    EXPECT_EQ(cached[i].value("matches", OrderedJson()), live[i].value("matches", OrderedJson()));
    for (const char* key : {"loss", "last_kl"}) {
      EXPECT_NEAR(cached[i].value(key, 0.0), live[i].value(key, 0.0), 1e-4) << key;
    }
    if (live[i]["step"] == "verbalize-student") {
      EXPECT_EQ(cached[i], live[i]);
    }
  }
}

TEST(Cache, IsMadeBetweenTwoPartsOfTheSameRun) {
  const Folder folder;
  fs::copy(model("teacher"), folder / "teacher", fs::copy_options::recursive);
  const Arguments settings{"--set", "teacher.model=" + (folder / "teacher").string(), "--set",
                           "teacher.cache=" + (folder / "cache").string()};
  expect_refusal(distill(folder, settings), {(folder / "cache").string(), "no cache.json", "vlsi cache"});
  ASSERT_EQ(distill(folder, with(settings, {"--only", "verbalize"})).status, 0);
  ASSERT_EQ(cache(folder, settings).status, 0);
  fs::remove_all(folder / "teacher");
  const auto result = distill(folder, with(settings, {"--resume"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_TRUE(fs::exists(folder / "run/model/model.safetensors"));
}

TEST(Cache, LiesInTheRunsFolderUnlessToldOtherwise) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize"}).status, 0);
  ASSERT_EQ(cache(folder).status, 0);
  EXPECT_TRUE(fs::exists(folder / "run/teacher-cache/cache.json"));
  EXPECT_EQ(distill(folder, {"--resume"}).status, 0) << "the run itself goes on as it was";
  const auto again = cache(folder);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_NE(again.err.find("are there"), std::string::npos) << again.err;
}

TEST(Cache, CountsSamplesThatItHasAndThoseThatAreAlikeOnce) {
  const Folder folder;
  const auto& verbalized = live_run().folder;
  fs::copy(verbalized / "cache", folder / "cache", fs::copy_options::recursive);
  std::string records;
  for (const char* id : {"one", "two"}) {
    records +=
        concat(R"({"id": ")", id,
               R"(", "conversations": [{"from": "human", "value": "what?"}, {"from": "gpt", "value": "b"}]})", "\n");
  }
  write_text(folder / "alike.jsonl", records);
  const auto once = [&] {
    const auto result =
        cache(folder,
              {"--set", "interact.data.train=[{path: " + (folder / "alike.jsonl").string() + "}]", "--set",
               "teacher.verbalizers=" + (verbalized / "run/teacher-verbalizers").string(), "--out", folder / "cache"});
    EXPECT_EQ(result.status, 0) << result.err;
    return result.err;
  };
  const auto behind = [](const std::string& log, const std::string& words) {
    std::smatch found;
    EXPECT_TRUE(std::regex_search(log, found, std::regex(words + "([^,;\\n]+)"))) << log;
    return found[1].str();
  };
  const auto first = once(), second = once();
  EXPECT_EQ(first.find("are there"), std::string::npos) << "what is there is of other data: " << first;
  EXPECT_EQ(std::stoi(behind(first, "2 records, ")), std::stoi(behind(first, "done: [0-9]+ samples, ")) -
                                                         std::stoi(behind(live_run().log, "done: [0-9]+ samples, ")))
      << "the second record is the first one again";
  EXPECT_EQ(behind(second, "of which "), behind(second, "bytes = ") + " are there");
}

TEST(Cache, OfTheLastLayerAloneNeedsNoVerbalizers) {
  const Folder folder;
  const Arguments last{"--set", "verbalize.iterations=0", "--set", "interact.intermediate_loss=none"};
  const auto made = cache(folder, with(last, {"--out", folder / "cache"}));
  ASSERT_EQ(made.status, 0) << made.err;
  const auto result = distill(folder, with(last, from_cache(folder / "cache")));
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Cache, ARunFromItResumesBitForBit) {
  const Folder whole, stopped;
  const auto arguments =
      with(from_cache(live_run().folder / "cache"), {"--set", "checkpoint.every=1", "--set", "checkpoint.keep=100"});
  ASSERT_NO_FATAL_FAILURE(resume_in_interaction(whole, stopped, arguments));
  EXPECT_EQ(metrics_of(stopped / "run"), metrics_of(whole / "run"));
  EXPECT_TRUE(content_of(stopped / "run/model/model.safetensors") == content_of(whole / "run/model/model.safetensors"));
}

TEST(Cache, KilledAtAnyMomentGoesOnToTheSameFiles) {
  const Folder folder;
  const auto arguments = with({"cache", write_run(folder)}, many_shards(folder));
  for (const size_t shards : {0, 1, 3, 6}) {
    Program program(arguments);
    program.wait_until(
        [&] { return shards == 0 ? fs::exists(folder / "cache/cache.json") : num_shards(folder) >= shards; });
    program.signal(SIGKILL);
    EXPECT_EQ(program.wait().status, 128 + SIGKILL) << "it ended before it was killed";
    EXPECT_NO_THROW(read_json(folder / "cache/cache.json"));
  }
  const auto result = vlsi_program(arguments);
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_cache(folder / "cache", undisturbed_cache());
}

TEST(Cache, InterruptedSaysSoAndGoesOnToTheSameFiles) {
  const Folder folder;
  const auto arguments = with({"cache", write_run(folder)}, many_shards(folder));
  Program program(arguments);
  program.wait_until([&] { return num_shards(folder) >= 1; });
  program.signal(SIGINT);
  const auto stopped = program.wait();
  EXPECT_EQ(stopped.status, 1) << stopped.err;
  EXPECT_NE(stopped.err.find("finished shards stay; the same command goes on"), std::string::npos) << stopped.err;
  expect_refusal(distill(folder, from_cache(folder / "cache")), {"not complete"});
  ASSERT_EQ(vlsi_program(arguments).status, 0);
  expect_same_cache(folder / "cache", undisturbed_cache());
}

TEST(Cache, OnAFullDiskKeepsWhatIsFinished) {
  const Folder folder;
  // The long answer's shard has 150 positions of 204 bytes.
  const auto full = cache(folder, many_shards(folder), {.file_size_limit = 20'000});
  EXPECT_EQ(full.status, 2) << full.err;
  EXPECT_NE(full.err.find(".safetensors: File too large"), std::string::npos) << full.err;
  EXPECT_GT(num_shards(folder), 10U);
  EXPECT_EQ(vlsi_program({"inspect", folder / "cache"}).status, 0);
  ASSERT_EQ(cache(folder, many_shards(folder)).status, 0);
  expect_same_cache(folder / "cache", undisturbed_cache());
}

TEST(Cache, IsRefusedWhereItCannotServe) {
  const auto made = from_cache(live_run().folder / "cache");
  const auto refused = [&](const Arguments& more, const std::vector<std::string>& parts) {
    SCOPED_TRACE(more.back());
    const Folder folder;
    expect_refusal(distill(folder, with(made, more)), parts);
  };
  refused({"--set", "interact.train=[embeddings]"},
          {"interact.train", "embeddings", "the language head too", "teacher cache"});
  refused({"--set", "interact.last_loss=l2"}, {"teacher.cache", "interact.last_loss is l2"});
  refused({"--dtype", "bfloat16"},
          {"its student's language head is", "its dtype is 'float32', the run's is 'bfloat16'"});
  refused({"--set", "teacher.layers=[1, 3]"}, {"target layers"});
  refused({"--set", "data.special_tokens=text"}, {"its chat template is"});
  refused({"--set", "teacher.quantize=int8"}, {"its dtype is 'float32', the run's is 'float32, the teacher int8'"});
}

TEST(Cache, OfAnotherTokenizerIsRefusedByName) {
  const Folder folder;
  fs::copy(model("student"), folder / "student", fs::copy_options::recursive);
  for (const char* name : {"student/tokenizer.json", "student/tokenizer_config.json"}) {
    auto tokenizer = content_of(folder / name);
    replace(tokenizer, "<|video_pad|>", "<|other_pad|>");
    write_text(folder / name, tokenizer);
  }
  expect_refusal(distill(folder, with(from_cache(live_run().folder / "cache"),
                                      {"--set", "student.model=" + (folder / "student").string()})),
                 {"its tokenizer is '"});
}

TEST(Cache, OfOtherVerbalizersIsRefusedByName) {
  const Folder folder;
  ASSERT_EQ(distill(folder, {"--only", "verbalize", "--seed", "9"}).status, 0);
  const Arguments other{"--set", "teacher.verbalizers=" + (folder / "run/teacher-verbalizers").string(), "--set",
                        "out=" + (folder / "other").string()};
  expect_refusal(distill(folder, with(from_cache(live_run().folder / "cache"), other)),
                 {"its teacher's verbalizers is '"});
  expect_refusal(cache(folder, {"--out", live_run().folder / "cache"}),
                 {"another one is there", "its teacher's verbalizers is '"});
}

TEST(Cache, NamesASampleThatItLacks) {
  const Folder folder;
  auto data = content_of(tiny("train.json"));
  replace(data, "is there a circle?", "is there a square?");
  write_text(folder / "train.json", data);
  expect_refusal(distill(folder, with(from_cache(live_run().folder / "cache"),
                                      {"--set", "interact.data.train=[{path: " + (folder / "train.json").string() +
                                                    ", images: " + tiny("").string() + "}]"})),
                 {"sample 'q03'", "other text"});
}

TEST(Cache, FindsADamagedShard) {
  const Folder folder;
  fs::copy(live_run().folder / "cache", folder / "cache", fs::copy_options::recursive);
  const auto path = folder / "cache/shard-00000.safetensors";
  const auto whole = content_of(path);
  auto damaged = whole;
  damaged[damaged.size() / 2] ^= 4;
  write_text(path, damaged);
  expect_refusal(distill(folder, from_cache(folder / "cache")), {path.string(), "damaged"});
  fs::remove_all(folder / "run");  // it may have come to the damaged record after some iterations
  write_text(path, whole.substr(0, whole.size() - 100));
  expect_refusal(distill(folder, from_cache(folder / "cache")), {path.string()});
  fs::remove(path);
  expect_refusal(distill(folder, from_cache(folder / "cache")), {"shard-00000.safetensors is missing"});
}

TEST(Cache, RefusesToBeMadeOfNothing) {
  const Folder folder;
  expect_refusal(cache(folder), {"needs verbalizers", "teacher-verbalizers"});
  expect_refusal(cache(folder, {"--set", "interact.intermediate_loss=ce", "--set", "interact.last_loss=ce"}),
                 {"nothing of the teacher"});
  expect_refusal(cache(folder, {"--set", "interact.last_loss=l2"}), {"interact.last_loss is l2"});
  expect_refusal(cache(folder, {"--set", "interact.train=[embeddings]"}), {"interact.train", "teacher cache"});
  expect_refusal(cache(folder, {"--set", "teacher.model=''"}), {"teacher.model"});
  expect_refusal(cache(folder, {"--shard-bytes", "0"}), {"--shard-bytes"});
  EXPECT_FALSE(fs::exists(folder / "run"));
}

TEST(Cache, CountsBadRecordsOrStopsAtThem) {
  const Folder folder;
  write_text(folder / "data.jsonl",
             R"({"id": "good", "conversations": [{"from": "human", "value": "a?"}, {"from": "gpt", "value": "b"}]})"
             "\nbroken\n");
  const Arguments last{"--set", "interact.intermediate_loss=none",
                       "--set", "interact.data.train=[{path: " + (folder / "data.jsonl").string() + "}]",
                       "--out", folder / "cache"};
  expect_refusal(cache(folder, last), {"data.jsonl, record 2 (line 2)"});
  const auto result = cache(folder, with(last, {"--set", "interact.data.on_error=skip"}));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("caching the teacher: 1 records were skipped"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("done: 1 samples"), std::string::npos) << result.err;
}

TEST(Cache, RefusesAnUnwritableFolder) {
  const Folder folder;
  write_text(folder / "file", "mine");
  expect_refusal(cache(folder, {"--set", "interact.intermediate_loss=none", "--out", folder / "file/cache"}),
                 {(folder / "file/cache").string()});
  expect_refusal(cache(folder, {"--set", "interact.intermediate_loss=none", "--out", folder / "file"}),
                 {(folder / "file").string()});
  EXPECT_EQ(content_of(folder / "file"), "mine");
}

}  // namespace
}  // namespace vlsi::cli_test
