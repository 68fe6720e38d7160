// A run's configuration: defaults, overrides, inheritance, and what is refused before anything is loaded.
#include "run/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "family/family.h"
#include "run/pair_processors.h"
#include "run/steps.h"
#include "tests/data/data_files.h"

namespace vlsi {
namespace {

// The data file exists; what is in it is not looked at.
const std::string kWhole = R"(out: runs/a
teacher: {model: big, layers: [1, 2, 3]}
student: {model: small, layers: [1, 2]}
data: {train: [{path: )" VLSI_TEST_DATA R"(/processor/conversations.json}]}
)";

RunConfig load(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const Folder folder;
  return load_run_config(folder.write("run.yaml", text), overrides);
}

/// The whole configuration, changed by overrides and checked.
void check_with(const std::vector<std::string>& overrides) { check(load(kWhole, overrides), "run.yaml"); }

TEST(RunConfig, OfAnEmptyFileIsTheDefault) {
  const auto config = load("");
  EXPECT_EQ(write_settings(config), write_settings(RunConfig{}));
  EXPECT_EQ(config.interact.matching.rule.text(), "multinomial");
  EXPECT_TRUE(config.interact.matching.search_range);
  EXPECT_TRUE(config.interact.matching.order_preservation);
  EXPECT_EQ(config.interact.matching.temperature.value, 0);
  EXPECT_EQ(config.interact.intermediate_loss, LossKind::kKl);
  EXPECT_EQ(config.interact.last_loss, LossKind::kKl);
}

TEST(RunConfig, ReadsTheFileAndItsOverrides) {
  const auto config = load(kWhole + "seed: 3\n", {"seed=4", "interact.matching.rule=bottom_3", "interact.iterations=12",
                                                  "student.lora.rank=8", "data.special_tokens=text"});
  EXPECT_EQ(config.out, "runs/a");
  EXPECT_EQ(config.teacher.layers, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(config.data.train.at(0).path, VLSI_TEST_DATA "/processor/conversations.json");
  EXPECT_EQ(config.seed, 4);
  EXPECT_EQ(config.interact.matching.rule.text(), "bottom_3");
  EXPECT_EQ(config.interact.iterations, 12);
  EXPECT_EQ(config.student.lora.rank, 8);
  EXPECT_EQ(config.data.special_tokens, SpecialText::kPlain);
}

TEST(RunConfig, GivesStepsTheGeneralSettingsKeyByKey) {
  const auto config = load(R"(
optimizer: {learning_rate: 0.5, eps: 1e-6}
data: {train: [{path: general.json}], batch_tokens: 100}
verbalize:
  data: {batch_tokens: 50}
  student_data: {train: [{path: student.json}]}
interact:
  optimizer: {learning_rate: 0.25}
finetune: {}
)");
  EXPECT_EQ(config.verbalize.optimizer.learning_rate, 0.5);
  EXPECT_EQ(config.interact.optimizer.learning_rate, 0.25);
  EXPECT_EQ(config.interact.optimizer.eps, 1e-6);
  EXPECT_EQ(config.finetune.optimizer.eps, 1e-6);
  EXPECT_EQ(config.interact.data.batch_tokens, 100);
  EXPECT_EQ(config.finetune.data.train.at(0).path, "general.json");
  EXPECT_EQ(config.verbalize.data.batch_tokens, 50);
  EXPECT_EQ(config.verbalize.data.train.at(0).path, "general.json");
  EXPECT_EQ(config.verbalize.student_data.batch_tokens, 50);
  EXPECT_EQ(config.verbalize.student_data.train.at(0).path, "student.json");
}

TEST(RunConfig, InheritsOverridesOfTheGeneralSettings) {
  const auto config =
      load("interact: {optimizer: {eps: 1e-3}}", {"optimizer.learning_rate=0.125", "finetune.optimizer.eps=0.5"});
  EXPECT_EQ(config.interact.optimizer.learning_rate, 0.125);
  EXPECT_EQ(config.interact.optimizer.eps, 1e-3);
  EXPECT_EQ(config.finetune.optimizer.learning_rate, 0.125);
  EXPECT_EQ(config.finetune.optimizer.eps, 0.5);
}

TEST(RunConfig, ReadsBackWhatItWrote) {
  const auto text =
      write_settings(load(kWhole, {"interact.matching.temperature=0.5", "data.on_error=skip", "optimizer.eps=1e-6",
                                   "finetune.data.train=[{path: b.json, weight: 0.3}]"}));
  EXPECT_EQ(write_settings(load(text)), text);
  const auto commented = write_settings(RunConfig{}, /*with_comments=*/true);
  EXPECT_EQ(write_settings(load(commented)), write_settings(RunConfig{}));
}

TEST(RunConfig, ReadsTheMatchingTemperature) {
  const auto temperature = [](const std::string& text) {
    return load("", {"interact.matching.temperature=" + text}).interact.matching.temperature.value;
  };
  EXPECT_EQ(temperature("adaptive"), 0);
  EXPECT_EQ(temperature("0.5"), 0.5);
  EXPECT_EQ(temperature("1e-3"), 1e-3);
  for (const char* text : {"warm", "0", "-1", "1x", "inf", "nan", "''"}) {
    EXPECT_ERROR(temperature(text), "key 'interact.matching.temperature' is ");
  }
}

TEST(RunConfig, NamesTheNearestKeyAndTheLineOfAnUnknownOne) {
  EXPECT_ERROR(load("seed: 1\ninteract:\n  iteration: 5"),
               "line 3: key 'interact.iteration' is unknown; did you mean 'interact.iterations'?");
  EXPECT_ERROR(load("", {"optimiser.eps=1"}), "key 'optimiser' is unknown; did you mean 'optimizer'?");
  EXPECT_ERROR(load("", {"verbalize.warmup=2"}),
               "--set: key 'verbalize.warmup' is unknown; did you mean 'verbalize.optimizer.warmup'?");
  // An unknown key of the general settings stays one, though every step inherits it.
  EXPECT_ERROR(load("optimizer:\n  epsilon: 1"),
               "line 2: key 'optimizer.epsilon' is unknown; did you mean 'optimizer.eps'?");
}

TEST(RunConfig, RefusesOtherTypesAndValues) {
  EXPECT_ERROR(load("interact: 5"), "line 1: key 'interact' is '5', expected keys and values");
  EXPECT_ERROR(load("optimizer: fast"), "key 'optimizer' is 'fast', expected keys and values");
  EXPECT_ERROR(load("interact: {optimizer: 3}"), "key 'interact.optimizer' is '3', expected keys and values");
  EXPECT_ERROR(load("seed: one"), "key 'seed' is 'one', expected a whole number");
  EXPECT_ERROR(load("student: {layers: 2}"), "key 'student.layers' is '2', expected a list");
  EXPECT_ERROR(load("interact: {matching: {rule: nearest}}"),
               "key 'interact.matching.rule' is 'nearest', expected one of multinomial, expected, bottom_1, bottom_3, "
               "uniform, random");
  EXPECT_ERROR(
      load("interact: {last_loss: l1}"),
      "key 'interact.last_loss' is 'l1', expected one of kl, ce, l2, none, reverse_kl, jsd, skew_kl, top_k_kl");
  EXPECT_ERROR(load("interact: {intermediate_loss: jsd}"),
               "key 'interact.intermediate_loss' is 'jsd', expected one of kl, ce, l2, none");
  EXPECT_ERROR(load("data: {on_error: ignore}"), "on_error' is 'ignore', expected one of stop, skip");
  EXPECT_ERROR(load("seed: 1\nseed: 2"), "line 2: key 'seed' stands twice");
  EXPECT_ERROR(load("- 1"), "expected keys and values");
}

TEST(Check, AcceptsAWholeConfiguration) {
  EXPECT_NO_THROW(check_with({}));
  // A baseline without verbalizers needs no layers, and fine-tuning no teacher.
  EXPECT_NO_THROW(check_with(
      {"verbalize.iterations=0", "interact.intermediate_loss=none", "student.layers=[]", "teacher.layers=[]"}));
  EXPECT_NO_THROW(check_with({"verbalize.iterations=0", "interact.iterations=0", "student.layers=[]", "teacher="}));
}

TEST(Check, RefusesWhatIsMissing) {
  EXPECT_ERROR(check_with({"out="}), "run.yaml: key 'out' is missing");
  EXPECT_ERROR(check_with({"student.model="}), "key 'student.model' is missing");
  EXPECT_ERROR(check_with({"teacher.model="}), "key 'teacher.model' is missing");
  EXPECT_ERROR(check_with({"student.layers=[]"}), "key 'student.layers' is missing");
  EXPECT_ERROR(check_with({"teacher.layers=[]"}), "key 'teacher.layers' is missing");
  EXPECT_ERROR(check_with({"data.train=[]"}), ".train' is missing: name the data to train on");
  EXPECT_ERROR(check_with({"interact.data.train=[]"}), "key 'interact.data.train' is missing");
  EXPECT_ERROR(check_with({"finetune.data.train=[{weight: 2}]"}),
               "key 'finetune.data.train' has an entry without a path");
}

TEST(RunModels, ThatAreNamesOfTheHubAreErrorsWithTheCommandThatGetsThem) {
  const auto config = load(kWhole, {"teacher.model=Nobody/Has-This-2B", "student.model=/nowhere/at/all"});
  EXPECT_ERROR(load_model_config(config.teacher.model), "hf download Nobody/Has-This-2B");
  EXPECT_EQ(message_of([&] { load_model_config(config.student.model); }), "there is no model /nowhere/at/all");
}

TEST(RunModels, OfAStepThatRunsTheTeacherWantItNamed) {
  const auto config = load(kWhole, {"teacher.model=", "teacher.cache=/nowhere/cache"});
  EXPECT_NO_THROW(check(config, "run.yaml")) << "the cache may still be made";
  const auto planned = planned_steps(config, steps_by_choice());
  EXPECT_TRUE(std::any_of(planned.begin(), planned.end(), [&](StepKind step) { return runs_teacher(config, step); }));
  EXPECT_ERROR(load_processors(config, /*with_teacher=*/true),
               "runs/a: key 'teacher.model' is missing, and a step runs the teacher; there is no whole cache in "
               "/nowhere/cache");
}

TEST(Check, RefusesLayersThatDoNotAscend) {
  EXPECT_ERROR(check_with({"student.layers=[2, 1]"}),
               "key 'student.layers' must be 1-based and ascending, found 1 at place 2");
  EXPECT_ERROR(check_with({"teacher.layers=[1, 2, 2]"}),
               "key 'teacher.layers' must be 1-based and ascending, found 2 at place 3");
  EXPECT_ERROR(check_with({"student.layers=[0, 1]"}), "found 0 at place 1");
}

TEST(Check, RefusesMoreStudentThanTeacherLayers) {
  EXPECT_ERROR(check_with({"student.layers=[1, 2, 3, 4]"}), "the student has 4 target layers, the teacher 3");
}

TEST(Check, RefusesARunWithNothingToDo) {
  EXPECT_ERROR(check_with({"verbalize.iterations=0", "interact.iterations=0", "finetune.iterations=0"}),
               "nothing to do");
  EXPECT_ERROR(check_with({"interact.intermediate_loss=none", "interact.last_loss=none"}), "both none");
  EXPECT_ERROR(check_with({"finetune.iterations=-1"}), "key 'finetune.iterations' is -1, expected 0 or more");
  EXPECT_ERROR(check_with({"interact.epochs=-0.5"}), "key 'interact.epochs' is -0.5, expected 0 to 1000000");
  EXPECT_ERROR(check_with({"verbalize.epochs=.nan"}), "verbalize.epochs");
  EXPECT_ERROR(check_with({"finetune.epochs=1e7"}), "key 'finetune.epochs' is 1e+07, expected 0 to 1000000");
}

TEST(Check, RefusesValuesOutOfRange) {
  EXPECT_ERROR(check_with({"checkpoint.every=0"}), "key 'checkpoint.every' is 0, expected 1 or more");
  EXPECT_ERROR(check_with({"threads=-1"}), "key 'threads' is -1");
  EXPECT_ERROR(check_with({"dtype=float16"}),
               "key 'dtype' is 'float16', expected float32 or bfloat16 (float16 overflows in training)");
  EXPECT_ERROR(check_with({"device=abacus"}), "key 'device' is 'abacus', expected cpu, cuda or cuda:N");
  EXPECT_ERROR(check_with({"interact.kl_matrix_every=0"}), "key 'interact.kl_matrix_every' is 0, expected 1 or more");
  EXPECT_ERROR(check_with({"interact.gradient_norms_every=-1"}),
               "key 'interact.gradient_norms_every' is -1, expected 0 or more");
  EXPECT_ERROR(check_with({"interact.intermediate_weight=-1"}),
               "key 'interact.intermediate_weight' is -1, expected 0 to 1000000");
  EXPECT_ERROR(check_with({"interact.intermediate_weight=.nan"}), "interact.intermediate_weight");
  EXPECT_ERROR(check_with({"interact.intermediate_decay=1.5"}),
               "key 'interact.intermediate_decay' is 1.5, expected 0 to 1");
  EXPECT_ERROR(check_with({"data.batch_tokens=0"}), "key 'data.batch_tokens' is 0, expected 1 to 16777216");
  EXPECT_ERROR(check_with({"data.workers=0"}), "workers' is 0, expected 1 to 256");
  EXPECT_ERROR(check_with({"student.lora.rank=-1"}), "key 'student.lora.rank' is -1, expected 0 to 4096");
  EXPECT_ERROR(check_with({"interact.optimizer.learning_rate=0"}),
               "run.yaml: key 'interact.optimizer.learning_rate' is 0, expected a number above 0");
  EXPECT_ERROR(check_with({"finetune.optimizer.betas=[0.9]"}),
               "run.yaml: key 'finetune.optimizer.betas' is a list of 1, expected two numbers");
}

TEST(Check, RefusesAQuantisedTeacherThatIsNotResidentOnTheCpu) {
  EXPECT_NO_THROW(check_with({"teacher.quantize=int8"}));
  EXPECT_NO_THROW(check_with({"teacher.quantize=int8", "teacher.residency=streamed"}));
  EXPECT_ERROR(check_with({"teacher.quantize=int8", "teacher.residency=sharded"}),
               "run.yaml: key 'teacher.quantize' is 'int8', which needs teacher.residency resident or streamed, found "
               "'sharded'");
  EXPECT_ERROR(check_with({"teacher.quantize=int4", "device=cuda"}),
               "run.yaml: key 'teacher.quantize' is 'int4', which is for the CPU, and 'device' is 'cuda'");
  EXPECT_ERROR(check_with({"teacher.quantize=int5"}),
               "key 'teacher.quantize' is 'int5', expected one of none, int8, int4");
}

/// Choices, enums, types that parse themselves and parts, with their meanings where they have some.
TEST(RunConfig, ListsInItsCommentsWhatAFieldMayHold) {
  const auto commented = write_settings(RunConfig{}, /*with_comments=*/true);
  for (const auto& rule : matching_rules())
    EXPECT_NE(commented.find("# " + rule.name + ": " + rule.meaning + "\n"), commented.npos) << rule.name;
  for (const auto& network : verbalizer_networks())
    EXPECT_NE(commented.find("# " + network.name + ": "), commented.npos) << network.name;
  for (const auto& loss : last_losses())
    EXPECT_NE(commented.find("# " + loss.name + ": " + loss.meaning + "\n"), commented.npos) << loss.name;
  for (const char* words : {"at the target layers: kl | ce | l2 | none\n", ": stop | skip\n", ": control | text\n",
                            ": adaptive or a number above 0\n", ": cpu, cuda or cuda:N\n", ": float32 or bfloat16",
                            "# sharded: a share of each layer in every rank\n", ": cosine | constant\n",
                            "that learn: lora, decoder, embeddings, head, projector, vision\n"}) {
    EXPECT_NE(commented.find(words), commented.npos) << words;
  }
}

TEST(Check, OfDivergencesWantsSharesAndWordsInTheirRange) {
  for (const char* key : {"jsd_beta", "skew_alpha"}) {
    EXPECT_NO_THROW(check_with({concat("interact.", key, "=0.9")}));
    for (const char* value : {"0", "1", "-0.5", ".nan"}) {
      EXPECT_ERROR(check_with({concat("interact.", key, "=", value)}), concat("key 'interact.", key, "' is "));
    }
  }
  EXPECT_NO_THROW(check_with({"interact.top_k=4096"}));
  EXPECT_ERROR(check_with({"interact.top_k=0"}), "key 'interact.top_k' is 0, expected 1 to 4096");
  EXPECT_ERROR(check_with({"interact.top_k=4097"}), "key 'interact.top_k' is 4097");
}

TEST(Check, OfAWeightingWantsATeacherThatIsRead) {
  const std::string kind = "interact.weighting.kind=visual_advantage";
  EXPECT_NO_THROW(check_with({kind}));
  EXPECT_NO_THROW(check_with({kind, "interact.intermediate_loss=ce"}));
  EXPECT_ERROR(check_with({kind, "interact.intermediate_loss=none", "interact.last_loss=ce"}),
               "key 'interact.weighting.kind' is visual_advantage, which asks the teacher, but neither");
  EXPECT_NO_THROW(
      check_with({kind, "interact.weighting.strength=0", "interact.intermediate_loss=none", "interact.last_loss=ce"}));
  for (const char* strength : {"-1", "1001", ".nan"}) {
    EXPECT_ERROR(check_with({kind, std::string("interact.weighting.strength=") + strength}),
                 "key 'interact.weighting.strength' is ");
  }
}

TEST(Check, OfACacheRefusesLossesOfTheTeachersOwnRows) {
  for (const auto& loss : last_losses()) {
    const auto with_cache = [&] { check_with({"teacher.cache=cache", "interact.last_loss=" + loss.name}); };
    if (loss.kind != LossKind::kL2 && loss.kind != LossKind::kDivergence) {
      EXPECT_NO_THROW(with_cache()) << loss.name;
    } else {
      EXPECT_ERROR(with_cache(), "interact.last_loss is " + loss.name + ", which reads the teacher's own rows");
    }
  }
}

TEST(RunConfig, ReadsEveryVerbalizerArchitecture) {
  for (const auto& network : verbalizer_networks()) {
    EXPECT_EQ(&*load("", {"verbalize.architecture=" + network.name}).verbalize.network.architecture, &network);
  }
  EXPECT_ERROR(
      load("", {"verbalize.architecture=transformer"}),
      "key 'verbalize.architecture' is 'transformer', expected one of verb_ffn, verb_ffn_x2, ffn, ffn_x2, decoder, "
      "decoder_x2, mlp, mlp_x2");
}

TEST(Check, OfARunWithoutHeadsTakesTheirLossAndNoVerbalization) {
  const std::vector<std::string> whole{"interact.head=false", "interact.intermediate_loss=l2",
                                       "verbalize.iterations=0"};
  const auto check_also = [&](const std::vector<std::string>& more) {
    auto overrides = whole;
    overrides.insert(overrides.end(), more.begin(), more.end());
    check_with(overrides);
  };
  for (const char* last : {"none", "l2", "kl"})
    EXPECT_NO_THROW(check_also({std::string("interact.last_loss=") + last}));
  EXPECT_NO_THROW(check_also({"teacher.verbalizers=given"}));
  EXPECT_ERROR(check_also({"interact.intermediate_loss=kl"}),
               "key 'interact.head' is false, which compares target layers by l2");
  EXPECT_ERROR(check_also({"interact.intermediate_loss=none"}), "expected interact.intermediate_loss: l2");
  EXPECT_ERROR(check_also({"verbalize.iterations=5"}),
               "key 'interact.head' is false, which has no verbalization; expected verbalize.iterations: 0, found 5");
  EXPECT_ERROR(check_also({"student.verbalizers=given"}),
               "key 'interact.head' is false, but 'student.verbalizers' is given");
  for (const char* network : {"verbalize.architecture=ffn", "verbalize.residual=true", "verbalize.final_norm=true"}) {
    EXPECT_ERROR(check_also({network}),
                 "key 'interact.head' is false, which goes with verbalize.architecture: verb_ffn");
  }
  // Without an interaction the key says nothing.
  EXPECT_NO_THROW(check_with({"interact.head=false", "interact.iterations=0"}));
}

TEST(Check, RefusesASecondResidualAroundADecoderLayer) {
  EXPECT_NO_THROW(check_with({"verbalize.architecture=decoder", "verbalize.final_norm=true"}));
  EXPECT_NO_THROW(
      check_with({"verbalize.architecture=ffn_x2", "verbalize.residual=true", "verbalize.final_norm=true"}));
  EXPECT_ERROR(check_with({"verbalize.architecture=decoder_x2", "verbalize.residual=true"}),
               "key 'verbalize.residual' is true, but the architecture 'decoder_x2' has residuals inside");
}

TEST(Check, LooksAtNoStepThatIsLeftOut) {
  EXPECT_NO_THROW(check_with({"interact.iterations=0", "interact.data.train=[]", "interact.optimizer.eps=0"}));
}

TEST(FreeKeys, AreKeysOfARun) {
  const auto settings = parse_yaml(write_settings(RunConfig{}), "defaults");
  for (const auto& key : free_keys()) {
    YAML::Node node = settings;
    std::stringstream parts(key);
    for (std::string part; std::getline(parts, part, '.');) node.reset(node[part]);
    EXPECT_TRUE(node.IsScalar()) << key;
  }
}

}  // namespace
}  // namespace vlsi
