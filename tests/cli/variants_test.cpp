// The same run in bfloat16, with adapters, with other losses.
#include "tests/cli/program.h"
#include "tests/cli/resumed_run.h"

namespace vlsi::cli_test {
namespace {

Result generate(const fs::path& directory) {
  return vlsi_program(
      {"generate", "--model", directory, "--prompt", "what shape is it?", "--max-new-tokens", "3", "--json"});
}

void expect_finite(const fs::path& run, size_t num_lines) {
  const auto metrics = metrics_of(run);
  EXPECT_EQ(metrics.size(), num_lines);
  for (const auto& line : metrics) EXPECT_TRUE(line.at("loss").is_number()) << line.dump();
}

TEST(Bfloat16, RunsFromEndToEndAndResumesBitForBit) {
  const Folder whole, parts;
  const auto result = distill(whole, {"--dtype", "bfloat16"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(whole / "run", 17);
  EXPECT_NE(content_of(whole / "run/model/config.json").find("bfloat16"), std::string::npos);
  EXPECT_EQ(generate(whole / "run/model").status, 0);

  ASSERT_EQ(distill(parts, {"--dtype", "bfloat16", "--only", "verbalize"}).status, 0);
  ASSERT_EQ(distill(parts, {"--dtype", "bfloat16", "--only", "interact", "--resume"}).status, 0);
  ASSERT_EQ(distill(parts, {"--dtype", "bfloat16", "--resume"}).status, 0);
  expect_same_run(parts / "run", whole / "run");
}

TEST(Lora, LearnsAndIsMergedIntoAModelThatLoads) {
  const Folder folder;
  const Arguments with_lora{"--set", "student.lora.rank=4",  "--set", "interact.train=[lora]",
                            "--set", "finetune.iterations=0"};
  const auto result = distill(folder, with_lora);
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(folder / "run", 13);
  const auto weights = content_of(folder / "run/model/model.safetensors");
  EXPECT_EQ(weights.find("lora"), std::string::npos);
  EXPECT_EQ(weights.size(), content_of(model("student") / "model.safetensors").size()) << "the same tensors";
  EXPECT_FALSE(weights == content_of(model("student") / "model.safetensors"));
  EXPECT_EQ(generate(folder / "run/model").status, 0);
}

TEST(Lora, IsCarriedThroughAFinetuningOfOtherParts) {
  const Folder whole, stopped;
  const Arguments with_lora{"--set", "student.lora.rank=4",       "--set", "interact.train=[lora]",
                            "--set", "finetune.train=[projector]"};
  ASSERT_EQ(distill(whole, with_lora).status, 0);
  ASSERT_EQ(distill(stopped, with_lora).status, 0);
  // As if it had been killed in the middle of the fine-tuning.
  fs::remove_all(stopped / "run/checkpoints/finetune-4");
  fs::remove_all(stopped / "run/model");
  auto resumed = with_lora;
  resumed.emplace_back("--resume");
  const auto result = distill(stopped, resumed);
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_run(stopped / "run", whole / "run");
}

TEST(StreamedTeacher, LeavesEveryBitOfARunAsItIs) {
  // In bfloat16 the stored float32 weights are converted layer by layer, in float32 they are read in place.
  for (const char* dtype : {"float32", "bfloat16"}) {
    const Folder resident, streamed;
    const Arguments as_stored{"--dtype", dtype},
        layer_by_layer{"--dtype", dtype, "--set", "teacher.residency=streamed"};
    ASSERT_EQ(distill(resident, as_stored).status, 0);
    const auto result = distill(streamed, layer_by_layer);
    ASSERT_EQ(result.status, 0) << result.err;
    expect_same_run(streamed / "run", resident / "run");
    EXPECT_EQ(result.err.find("other decoder weights"), std::string::npos)
        << "the backbone's fingerprint is the same: " << result.err;

    const auto cache = [&](const Folder& folder, Arguments more) {
      more.insert(more.begin(), {"cache", folder / "run.yaml", "--out", folder / "cache"});
      const auto made = vlsi_program(more);
      EXPECT_EQ(made.status, 0) << made.err;
      return content_of(folder / "cache/cache.json");
    };
    EXPECT_EQ(cache(streamed, layer_by_layer), cache(resident, as_stored));
  }
}

TEST(QuantisedTeacher, TeachesNearlyTheSame) {
  const Folder as_it_is, quantised, streamed;
  ASSERT_EQ(distill(as_it_is).status, 0);
  const auto result = distill(quantised, {"--set", "teacher.quantize=int8"});
  ASSERT_EQ(result.status, 0) << result.err;
  ASSERT_EQ(distill(streamed, {"--set", "teacher.quantize=int8", "--set", "teacher.residency=streamed"}).status, 0);
  expect_same_run(quantised / "run", streamed / "run");
  EXPECT_EQ(leftovers_in(streamed / "run"), std::vector<std::string>{});
  const auto losses = [](const Folder& folder) {
    std::vector<double> found;
    for (const auto& line : metrics_of(folder / "run")) {
      if (line.at("step") == "interact") found.push_back(line.at("loss").get<double>());
    }
    return found;
  };
  const auto expected = losses(as_it_is), found = losses(quantised);
  ASSERT_FALSE(found.empty());
  ASSERT_EQ(found.size(), expected.size());
  EXPECT_NE(found, expected);
  for (size_t i = 0; i < found.size(); ++i) {
    // The teacher's weights are off by 1 %, its verbalizers learn otherwise in the last digits.
    EXPECT_NEAR(found[i], expected[i], 0.05 * std::abs(expected[i]) + 1e-3) << i;
  }
}

TEST(VisionCache, LeavesEveryBitOfARunAsItIsAndIsReadByTheNext) {
  const Folder without, first, second, streamed;
  ASSERT_EQ(distill(without).status, 0);
  const std::string cache = "vision_cache=" + (first / "features").string();
  ASSERT_EQ(distill(first, {"--set", cache}).status, 0);
  expect_same_run(first / "run", without / "run");
  std::vector<fs::path> kept;
  for (const auto& entry : fs::recursive_directory_iterator(first / "features")) {
    if (entry.path().extension() == ".safetensors") kept.push_back(entry.path());
  }
  EXPECT_EQ(kept.size(), 2) << "one file for each tower";
  ASSERT_EQ(distill(second, {"--set", cache}).status, 0);
  expect_same_run(second / "run", without / "run");
  ASSERT_EQ(distill(streamed, {"--set", cache, "--set", "teacher.residency=streamed"}).status, 0);
  expect_same_run(streamed / "run", without / "run");
  for (const auto& path : kept)
    EXPECT_FALSE(fs::exists(path.parent_path() / "features-00001.safetensors")) << "nothing was new";

  fs::resize_file(kept.front(), 100);
  const Folder refused;
  expect_refusal(distill(refused, {"--set", cache}), {kept.front().string()});
}

TEST(StreamedTeacher, ServesLossesThatReadItsRowsAndOnesThatDoNot) {
  for (const auto& [between, last] :
       {std::pair("l2", "l2"), std::pair("ce", "ce"), std::pair("kl", "jsd"), std::pair("none", "top_k_kl")}) {
    const Folder resident, streamed;
    const Arguments kind{"--set", std::string("interact.intermediate_loss=") + between, "--set",
                         std::string("interact.last_loss=") + last};
    auto layer_by_layer = kind;
    layer_by_layer.insert(layer_by_layer.end(), {"--set", "teacher.residency=streamed"});
    ASSERT_EQ(distill(resident, kind).status, 0);
    const auto result = distill(streamed, layer_by_layer);
    ASSERT_EQ(result.status, 0) << result.err;
    expect_same_run(streamed / "run", resident / "run");
  }
}

TEST(Epochs, StandForTheIterationsOfEveryStep) {
  const Folder by_epochs, by_iterations;
  const auto result = distill(by_epochs, {"--set", "verbalize.epochs=1", "--set", "interact.epochs=2", "--set",
                                          "finetune.epochs=1", "--set", "optimizer.accumulate=1"});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("interact: 2 epochs are"), std::string::npos) << result.err;
  std::map<std::string, int64_t> last;
  for (const auto& line : metrics_of(by_epochs / "run")) last[line.at("step")] = line.at("iteration");
  EXPECT_GT(last.at("interact"), last.at("finetune"));
  const auto same = [&](const char* key, const char* step) {
    return std::string(key) + "=" + std::to_string(last.at(step));
  };
  ASSERT_EQ(last.at("verbalize-student"), last.at("verbalize-teacher")) << "one number can stand for both";
  ASSERT_EQ(distill(by_iterations, {"--set", same("verbalize.iterations", "verbalize-student"), "--set",
                                    same("interact.iterations", "interact"), "--set",
                                    same("finetune.iterations", "finetune"), "--set", "optimizer.accumulate=1"})
                .status,
            0);
  expect_same_run(by_epochs / "run", by_iterations / "run");

  // A killed run counts the same again.
  fs::remove_all(by_epochs / "run/checkpoints" / ("finetune-" + std::to_string(last.at("finetune"))));
  fs::remove_all(by_epochs / "run/model");
  ASSERT_EQ(distill(by_epochs, {"--set", "verbalize.epochs=1", "--set", "interact.epochs=2", "--set",
                                "finetune.epochs=1", "--set", "optimizer.accumulate=1", "--resume"})
                .status,
            0);
  expect_same_run(by_epochs / "run", by_iterations / "run");
}

TEST(LastLayerDistillation, NeedsNoVerbalizers) {
  const Folder folder;
  const auto result = distill(folder, {"--set", "verbalize.iterations=0", "--set", "interact.intermediate_loss=none",
                                       "--set", "student.layers=[]", "--set", "teacher.layers=[]"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(folder / "run", 9);
  EXPECT_FALSE(fs::exists(folder / "run/student-verbalizers"));
}

TEST(GivenVerbalizers, SkipTheirVerbalization) {
  const Folder first, second;
  ASSERT_EQ(distill(first, {"--only", "verbalize"}).status, 0);
  const auto result = distill(second, {"--set", "student.verbalizers=" + (first / "run/student-verbalizers").string(),
                                       "--set", "teacher.verbalizers=" + (first / "run/teacher-verbalizers").string()});
  ASSERT_EQ(result.status, 0) << result.err;
  const auto metrics = metrics_of(second / "run");
  ASSERT_EQ(metrics.size(), 9);
  EXPECT_EQ(metrics.front()["step"], "interact");
  EXPECT_FALSE(fs::exists(second / "run/student-verbalizers"));
}

TEST(GivenVerbalizers, MustBeOfTheArchitectureThatTheRunNames) {
  const Folder first, second;
  ASSERT_EQ(
      distill(first, {"--only", "verbalize", "--set", "verbalize.architecture=mlp", "--set", "verbalize.residual=true"})
          .status,
      0);
  const auto given = (first / "run/teacher-verbalizers").string();
  expect_refusal(distill(second, {"--set", "teacher.verbalizers=" + given}),
                 {"teacher.verbalizers", given, "mlp with residual", "verb_ffn"});
}

TEST(Architectures, RunFromEndToEndAndResumeBitForBit) {
  // Attention inside the verbalizers, and every option of those without.
  for (const Arguments& chosen :
       {Arguments{"--set", "verbalize.architecture=decoder_x2", "--set", "verbalize.final_norm=true"},
        Arguments{"--set", "verbalize.architecture=ffn", "--set", "verbalize.residual=true", "--set",
                  "verbalize.final_norm=true"}}) {
    SCOPED_TRACE(chosen[1]);
    const Folder whole, parts;
    const auto with = [&](Arguments more) {
      more.insert(more.begin(), chosen.begin(), chosen.end());
      return more;
    };
    const auto result = distill(whole, chosen);
    ASSERT_EQ(result.status, 0) << result.err;
    expect_finite(whole / "run", 17);
    ASSERT_EQ(distill(parts, with({"--only", "verbalize"})).status, 0);
    ASSERT_EQ(distill(parts, with({"--resume"})).status, 0);
    expect_same_run(parts / "run", whole / "run");
    const auto inspected = vlsi_program({"inspect", (whole / "run/student-verbalizers").string()});
    EXPECT_NE(inspected.out.find(chosen[1].substr(chosen[1].find('=') + 1) + ","), std::string::npos) << inspected.out;
    EXPECT_NE(inspected.out.find("final norm"), std::string::npos) << inspected.out;
    EXPECT_EQ(inspected.out.find("residual") != std::string::npos, chosen.size() > 4) << inspected.out;
  }
}

TEST(SquaredDifferences, RunFromEndToEnd) {
  const Folder folder;
  const auto result = distill(folder, {"--set", "interact.intermediate_loss=l2", "--set", "interact.last_loss=kl"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(folder / "run", 17);
  const auto line = metrics_of(folder / "run").at(8);
  ASSERT_EQ(line.at("step"), "interact");
  for (const char* key : {"matches", "l2", "l2_matrix", "last_kl"})
    EXPECT_TRUE(line.contains(key)) << key << " in " << line.dump();
  EXPECT_FALSE(metrics_of(folder / "run").at(10).contains("l2_matrix")) << "only every second iteration has it";
}

TEST(SquaredDifferences, NeedAHeadThatStays) {
  const Folder folder;
  expect_refusal(distill(folder, {"--set", "interact.last_loss=l2", "--set", "interact.train=[embeddings]"}),
                 {"interact.train", "embeddings", "l2"});
}

TEST(ExpectedMatching, RunsFromEndToEnd) {
  const Folder folder;
  const auto result = distill(folder, {"--set", "interact.matching.rule=expected"});
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(folder / "run", 17);
  const auto line = metrics_of(folder / "run").at(8);
  EXPECT_EQ(line.at("match_weights").size(), 1U);
  EXPECT_FALSE(line.contains("matches"));
}

const Arguments kWithoutHead{"--set", "interact.head=false",    "--set", "interact.intermediate_loss=l2",
                             "--set", "verbalize.iterations=0", "--set", "checkpoint.every=1"};

TEST(FadingWeight, GoesOnFromACheckpointWhereItWas) {
  const Folder whole, parts;
  const Arguments fading{"--set", "interact.intermediate_weight=0.5",
                         "--set", "interact.intermediate_decay=0.9",
                         "--set", "interact.gradient_norms_every=2",
                         "--set", "interact.iterations=4",
                         "--set", "finetune.iterations=0"};
  ASSERT_EQ(distill(whole, fading).status, 0);
  std::vector<std::pair<int64_t, bool>> measured;
  for (const auto& line : metrics_of(whole / "run")) {
    if (line.at("step") != "interact") continue;
    const bool has_norm = line.contains("intermediate_gradient_norm");
    EXPECT_EQ(line.contains("last_gradient_norm"), has_norm);
    measured.emplace_back(line.at("iteration").get<int64_t>(), has_norm);
  }
  EXPECT_EQ(measured, (std::vector<std::pair<int64_t, bool>>{{1, true}, {2, true}, {3, false}, {4, true}}));

  ASSERT_EQ(distill(parts, fading).status, 0);
  // As if it had been killed in the middle of the interaction.
  ASSERT_TRUE(fs::remove_all(parts / "run/checkpoints/interact-4"));
  fs::remove_all(parts / "run/model");
  const auto result = distill(parts, with(fading, {"--resume"}));
  ASSERT_EQ(result.status, 0) << result.err;
  expect_same_run(parts / "run", whole / "run");
}

TEST(WithoutHead, GoesOnFromACheckpointWithTheVerbFfnsThatItLearned) {
  const Folder whole, stopped;
  Arguments arguments = kWithoutHead;
  arguments.insert(arguments.end(), {"--set", "checkpoint.keep=100"});
  ASSERT_NO_FATAL_FAILURE(resume_in_interaction(whole, stopped, arguments));
  EXPECT_EQ(metrics_of(stopped / "run"), metrics_of(whole / "run"));
  EXPECT_TRUE(content_of(stopped / "run/model/model.safetensors") == content_of(whole / "run/model/model.safetensors"));
}

TEST(WithoutHead, AKilledRunGoesOnAsIfNothingHadHappened) {
  const Folder whole, killed;
  const auto with = [](Arguments more) {
    more.insert(more.begin(), kWithoutHead.begin(), kWithoutHead.end());
    return more;
  };
  const auto result = distill(whole, kWithoutHead);
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(whole / "run", 9);
  EXPECT_FALSE(fs::exists(whole / "run/student-verbalizers"));

  Arguments start = with({});
  start.insert(start.begin(), {"distill", write_run(killed)});
  {
    Program program(start);
    program.wait_until([&] { return num_lines(killed / "run/metrics.jsonl") >= 3; });
    program.signal(SIGKILL);
    program.wait();
  }
  const auto resumed = distill(killed, with({"--resume"}));
  ASSERT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("continuing from"), std::string::npos) << resumed.err;
  EXPECT_EQ(metrics_of(killed / "run"), metrics_of(whole / "run"));
  EXPECT_TRUE(content_of(killed / "run/model/model.safetensors") == content_of(whole / "run/model/model.safetensors"));
}

TEST(WithoutHead, TakesATrainedTeachersVerbalizers) {
  const Folder first, second;
  ASSERT_EQ(distill(first, {"--only", "verbalize"}).status, 0);
  Arguments arguments = kWithoutHead;
  arguments.insert(arguments.end(), {"--set", "teacher.verbalizers=" + (first / "run/teacher-verbalizers").string()});
  const auto result = distill(second, arguments);
  ASSERT_EQ(result.status, 0) << result.err;
  expect_finite(second / "run", 9);
}

}  // namespace
}  // namespace vlsi::cli_test
