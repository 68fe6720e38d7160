// Answers that a student draws: whose they are, what they depend on, and what becomes of micro-batches.
#include "run/on_policy.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "data/other_answer.h"
#include "data/unpack.h"
#include "generate/engine.h"
#include "run/step_data.h"
#include "tests/seams/toy_run.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

namespace on_policy_fixture {

/// The tiny student, its data, and answers of it.
class Student {
 public:
  /// `changes`: of its config.json.
  explicit Student(const std::vector<std::string>& overrides = {}, const Json& changes = Json::object())
      : config(load_run_config(pair.folder() / "run.yaml", with_defaults(overrides))),
        speaker(load_speaker({changed_model(changes)}, at::kFloat, at::kCPU)) {}

  OnPolicyAnswers answers(int64_t shared_ids = 320) const { return {config, speaker, shared_ids}; }

  std::vector<Batch> batches(int count) const {
    const auto data = open_training_data(config, StepKind::kInteract, *speaker.processor);
    const auto loader = data.open({}, {});
    std::vector<Batch> found;
    for (int i = 0; i < count; ++i) found.push_back(loader->next());
    return found;
  }

  const toy_run::TinyPair pair;
  RunConfig config;
  Speaker speaker;

 private:
  std::filesystem::path changed_model(const Json& changes) const {
    auto json = read_json(VLSI_TEST_DATA "/tiny/student.json");
    json.update(changes);
    const auto model = initialize_vlm(parse_model_config(json, "changed"), Initializer::kFanIn, /*seed=*/1);
    save_vlm(pair.folder() / "changed", *model, at::kFloat, VLSI_TEST_DATA "/tiny/tokenizer");
    return pair.folder() / (changes.empty() ? "student" : "changed");
  }

  static std::vector<std::string> with_defaults(std::vector<std::string> overrides) {
    overrides.insert(overrides.begin(), {"interact.on_policy.share=1", "interact.on_policy.max_new_tokens=5"});
    return overrides;
  }
};

/// The labels of every sample of the batches, by its id.
std::map<std::string, std::vector<int32_t>> labels_of(const std::vector<Batch>& batches) {
  std::map<std::string, std::vector<int32_t>> labels;
  for (const auto& batch : batches) {
    for (const auto& sample : unpack_pairs(batch)) labels[sample.own.id] = sample.own.labels;
  }
  return labels;
}

double mean(const Rewritten& rewritten, const std::string& name) {
  const Mean& mean = rewritten.means.at(name);
  return mean.sum.item<double>() / mean.weight;
}

TEST(OnPolicyAnswers, AtTemperatureZeroAreWhatTheModelAnswersGreedily) {
  const Student student({"interact.on_policy.temperature=0"});
  auto answers = student.answers();
  const auto batches = student.batches(2);
  const auto drawn = labels_of(answers.rewrite(1, batches)->batches);
  ASSERT_FALSE(drawn.empty());
  const auto& speaker = student.speaker;
  auto decoding = speaker.greedy;
  decoding.max_new_tokens = 5;
  const int32_t end_of_turn = speaker.processor->end_of_turn();
  const RecordFile file(toy_run::TinyPair::train_data());
  size_t num_found = 0;
  for (int64_t record = 0; record < file.size(); ++record) {
    Engine engine(*speaker.model, speaker.processor->tokenizer(), nullptr);
    const auto prompt = speaker.processor->encode_prompt(file.read(record));
    auto reply = generate(engine, prompt, decoding);
    if (reply.finish == Finish::kStop) reply.tokens.push_back(end_of_turn);
    const auto found = drawn.find(prompt.id);
    if (found == drawn.end()) continue;
    ++num_found;
    EXPECT_EQ(found->second, reply.tokens) << record;
  }
  EXPECT_EQ(num_found, drawn.size());
}

TEST(OnPolicyAnswers, AreTheSameToTheBitWhateverIsDrawnBesideThem) {
  const Student student;
  auto together = student.answers();
  const auto batches = student.batches(3);
  const auto all = labels_of(together.rewrite(4, batches)->batches);
  for (const auto& batch : batches) {
    for (const auto& sample : unpack_pairs(batch)) {
      auto alone = student.answers();
      for (const auto& [id, labels] : labels_of(alone.rewrite(4, {pack_pairs({sample})})->batches))
        EXPECT_EQ(labels, all.at(id)) << sample.own.id;
    }
  }
  // A few equal draws would prove little: the answers differ from record to record and iteration to iteration.
  std::set<std::vector<int32_t>> different;
  for (const auto& [id, labels] : all) different.insert(labels);
  EXPECT_GT(different.size(), all.size() / 2);
  EXPECT_NE(labels_of(together.rewrite(5, batches)->batches), all);
}

TEST(OnPolicyAnswers, ThatEndAtOnceAreAnEndOfTurnEach) {
  const Student student;
  std::vector<int64_t> all(320);
  std::iota(all.begin(), all.end(), 0);
  write_text(student.pair.folder() / "student/generation_config.json", Json{{"eos_token_id", all}}.dump());
  auto answers = student.answers();
  const auto batches = student.batches(1);
  const auto rewritten = answers.rewrite(1, batches);
  ASSERT_TRUE(rewritten);
  EXPECT_EQ(labels_of(rewritten->batches).size(), batches[0].ids.size());
  for (const auto& [id, labels] : labels_of(rewritten->batches))
    EXPECT_EQ(labels, std::vector<int32_t>{student.speaker.processor->end_of_turn()});
  EXPECT_EQ(rewritten->batches[0].num_answers(), batches[0].num_samples());
  EXPECT_EQ(mean(*rewritten, "on_policy_tokens"), 0);
  EXPECT_EQ(mean(*rewritten, "on_policy_ended"), 1);
  EXPECT_EQ(mean(*rewritten, "on_policy_share"), 1);
}

TEST(OnPolicyAnswers, AreOfAShareOfTheRecordsAndLeaveTheOthersAsTheyAre) {
  const Student student({"interact.on_policy.share=0.5", "data.batch_tokens=2000"});
  auto answers = student.answers();
  const auto batches = student.batches(6);
  const auto rewritten = answers.rewrite(2, batches);
  const auto before = labels_of(batches), after = labels_of(rewritten->batches);
  size_t num_kept = 0;
  for (const auto& [id, labels] : before) num_kept += after.at(id) == labels;
  const double share = mean(*rewritten, "on_policy_share");
  EXPECT_GT(share, 0);
  EXPECT_LT(share, 1);
  // The data are 12 records that come again and again, each taken or not.
  EXPECT_EQ(before.size(), 12U);
  EXPECT_NEAR(static_cast<double>(before.size() - num_kept) / 12, share, 0.1);  // an epoch's end is cut off

  Student none({"interact.on_policy.share=0.5"});
  none.config.interact.on_policy.share = 1e-12;
  auto of_none = none.answers();
  const auto kept = of_none.rewrite(1, batches);
  ASSERT_EQ(kept->batches.size(), batches.size());
  EXPECT_EQ(kept->batches[0].sample_fingerprints, batches[0].sample_fingerprints);
  EXPECT_TRUE(std::isnan(mean(*kept, "on_policy_tokens"))) << "of nothing";
}

TEST(OnPolicyAnswers, ThatAreLongMakeMoreMicroBatchesAndNoLargerOnes) {
  const Student student({"interact.on_policy.max_new_tokens=100", "interact.data.sample_tokens=250"});
  auto answers = student.answers();
  const auto batches = student.batches(2);
  const auto rewritten = answers.rewrite(1, batches);
  EXPECT_GT(rewritten->batches.size(), batches.size());
  int64_t num_samples = 0;
  for (const auto& batch : rewritten->batches) {
    EXPECT_LE(batch.num_tokens(), 300);
    num_samples += batch.num_samples();
    for (int64_t i = 0; i < batch.num_samples(); ++i)
      EXPECT_LE(batch.sequence_starts[i + 1] - batch.sequence_starts[i], 250);
  }
  EXPECT_EQ(num_samples, batches[0].num_samples() + batches[1].num_samples());
  EXPECT_GT(mean(*rewritten, "on_policy_tokens"), 20);
}

TEST(OnPolicyAnswers, HaveNoTokenThatTheTeacherDoesNotKnow) {
  const Student student({"interact.on_policy.temperature=100", "interact.on_policy.max_new_tokens=40"});
  const auto batches = student.batches(2);
  const auto highest = [&](int64_t shared_ids) {
    auto answers = student.answers(shared_ids);
    int32_t most = 0;
    for (const auto& [id, labels] : labels_of(answers.rewrite(1, batches)->batches)) {
      for (const int32_t label : labels)
        most = label == student.speaker.processor->end_of_turn() ? most : std::max(most, label);
    }
    return most;
  };
  EXPECT_GE(highest(320), 200);
  EXPECT_LT(highest(200), 200);
}

TEST(OnPolicyAnswers, HaveNoTokenWithoutWords) {
  const Student student({"interact.on_policy.temperature=100", "interact.on_policy.max_new_tokens=40"},
                        {{"vocab_size", 352}});
  ASSERT_EQ(student.speaker.processor->tokenizer().size(), 320);
  auto answers = student.answers(/*shared_ids=*/352);
  for (const auto& [id, labels] : labels_of(answers.rewrite(1, student.batches(2))->batches))
    EXPECT_LT(*std::max_element(labels.begin(), labels.end()), 320) << id;
}

TEST(OnPolicyAnswers, EndWhereTheContextDoesAndLeaveAPromptThatFillsIt) {
  const Student unbound({"interact.on_policy.max_new_tokens=40"});
  const auto batches = unbound.batches(4);
  const auto before = labels_of(batches);
  std::map<std::string, int64_t> prompts;
  for (const auto& batch : batches) {
    for (const auto& sample : unpack_pairs(batch))
      prompts[sample.own.id] = sample.own.answer_positions[begin_of_last_answer(sample.own)] + 1;
  }
  std::vector<int64_t> lengths;
  for (const auto& [id, length] : prompts) lengths.push_back(length);
  std::sort(lengths.begin(), lengths.end());
  const int64_t context = lengths[lengths.size() / 2];
  const Student student({"interact.on_policy.max_new_tokens=40"}, {{"max_position_embeddings", context}});
  auto answers = student.answers();
  int64_t num_left = 0;
  for (const auto& [id, labels] : labels_of(answers.rewrite(1, batches)->batches)) {
    if (prompts.at(id) >= context) {
      EXPECT_EQ(labels, before.at(id)) << id;
      ++num_left;
    } else {
      EXPECT_LE(prompts.at(id) + std::ssize(labels) - 1, context) << id;
    }
  }
  EXPECT_GT(num_left, 0);
  EXPECT_LT(num_left, std::ssize(prompts));
}

TEST(OnPolicyAnswers, ServeForAPeriodAndAreDrawnAnewInTheNext) {
  const Student student({"interact.on_policy.every=3"});
  auto answers = student.answers();
  const auto batches = student.batches(1);
  const auto draw = [&](OnPolicyAnswers& by, int64_t iteration) {
    const auto rewritten = by.rewrite(iteration, batches);
    if (!rewritten->news.is_null()) by.remember(rewritten->news, "the other rank");
    return labels_of(rewritten->batches);
  };
  const auto first = draw(answers, 1);
  // What the student has become meanwhile makes no difference within the period.
  at::NoGradGuard no_grad;
  for (auto& [name, parameter] : student.speaker.model->named_parameters()) {
    if (name.starts_with("embeddings.")) parameter.set_data(parameter.neg());
  }
  EXPECT_EQ(draw(answers, 2), first);
  auto resumed = student.answers();
  resumed.remember(answers.memory(), "the checkpoint");
  EXPECT_EQ(draw(resumed, 3), first);
  auto forgetful = student.answers();
  EXPECT_NE(draw(forgetful, 3), first);
  EXPECT_NE(draw(answers, 4), first);

  const Student always;
  auto anew = always.answers();
  EXPECT_TRUE(anew.rewrite(1, batches)->news.is_null());
  EXPECT_TRUE(anew.memory().is_null());
}

TEST(OnPolicyAnswers, AreRememberedOnlyWhereTheStudentCanHaveDrawnThem) {
  const Student student({"interact.on_policy.every=3"});  // 5 tokens at most, of 320
  const auto remember = [&](const std::string& memory) {
    return message_of([&] { student.answers().remember(parse_json(memory, "memory"), "interact-2: its memory"); });
  };
  EXPECT_EQ(remember(R"({"period": 1, "answers": [[18446744073709551615, [0, 1, 2, 3, 4, 319]], [7, [5]]]})"),
            "no error");
  const auto expect_refused = [&](const std::string& memory, const std::string& part) {
    const auto message = remember(memory);
    EXPECT_TRUE(message.starts_with("interact-2: its memory: ")) << memory << ": " << message;
    EXPECT_NE(message.find(part), std::string::npos) << memory << ": " << message;
  };
  expect_refused("[]", "an array, expected an object");
  expect_refused(R"({"answers": []})", "key 'period' is missing");
  expect_refused(R"({"period": 0, "answers": []})", "key 'period' is 0, expected");
  expect_refused(R"({"period": 1})", "key 'answers' is missing");
  expect_refused(R"({"period": 1, "answers": {}})", "key 'answers' is an object");
  for (const char* entry : {"3", "[]", "[1]", "[1, 2]", "[-1, [2]]", R"(["1", [2]])", "[1, [2], 3]"})
    expect_refused(R"({"period": 1, "answers": [[7, [5]], )" + std::string(entry) + "]}", "entry 2: expected [");
  expect_refused(R"({"period": 1, "answers": [[7, []]]})", "has 0 tokens, expected at least 1");
  expect_refused(R"({"period": 1, "answers": [[7, [1, 1, 1, 1, 1, 1, 1]]]})", "has 7 tokens, expected");
  for (const char* id : {"320", "-1", "1.5", "1e300", "18446744073709551615"})
    expect_refused(R"({"period": 1, "answers": [[7, [1, )" + std::string(id) + "]]]}", ", expected 0 to 319");
  expect_refused(R"({"period": 1, "answers": [[7, ["1"]]]})", "a token is a string");
}

TEST(OnPolicyAnswers, AreDrawnInACacheThatHoldsThemToTheirEnds) {
  constexpr int64_t kBytes = 1 << 20;                            // a block
  EXPECT_EQ(num_drawing_blocks(2, 40, kBytes), 6);               // three each
  EXPECT_EQ(num_drawing_blocks(1000, 40, kBytes), 64 * 3);       // as many as are drawn at once
  EXPECT_EQ(num_drawing_blocks(1000, 400, kBytes), 512);         // as much as there is room for
  EXPECT_EQ(num_drawing_blocks(1000, 16 * 1000, kBytes), 1001);  // but always an answer
}

}  // namespace on_policy_fixture
}  // namespace
}  // namespace vlsi
