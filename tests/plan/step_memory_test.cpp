// The formulas of memory against the tensors of real steps.
#include "plan/step_memory.h"

#include "method/step1_verbalize.h"
#include "method/step3_finetune.h"
#include "model/kv_cache.h"
#include "teacher/verbalizers.h"
#include "tests/plan/plan_fixture.h"
#include "tests/support/in_ranks.h"
#include "tests/support/peak_bytes.h"
#include "train/optimizer.h"

namespace vlsi {
namespace {

using namespace plan_fixture;

constexpr int64_t kLayers = 6, kWidth = 256;

struct Case {
  at::ScalarType dtype;
  bool lora, checkpoints;
};

RunConfig config_of(const Case& test) {
  RunConfig config;
  config.student.layers = {2, 4};
  config.student.lora.rank = test.lora ? 16 : 0;
  config.finetune.train =
      test.lora ? std::vector<std::string>{"lora"} : std::vector<std::string>{"decoder", "embeddings"};
  config.finetune.optimizer.accumulate = 2;
  config.activation_checkpointing = test.checkpoints;
  return config;
}

/// What the step's own tensors take: neither the program, nor pages of the weights' files, nor the allocator.
double tensors_of(const std::vector<MemoryPart>& parts) {
  return total_bytes(parts) - part(parts, "program") - part(parts, "student weights") - part(parts, "allocator gaps");
}

/// Two micro-batches and an update, twice: ranks exchange the gradients behind the first iteration's last pass, and
/// during the second's.
void run_iterations(NamedTensors parameters, const OptimizerConfig& config, const std::function<at::Tensor()>& loss,
                    const Ranks& ranks = one_rank()) {
  AdamW optimizer(std::move(parameters), config, ranks);
  for (int iteration = 0; iteration < 2; ++iteration) {
    for (const bool is_last : {false, true}) {
      const auto sum = loss();
      if (is_last) optimizer.expect_last_backward();
      sum.backward();
      optimizer.collect_gradients();
    }
    optimizer.step(1e-4);
  }
}

class FinetuneMemory : public testing::TestWithParam<Case> {
 protected:
  /// Bytes of the step's tensors: as planned, of those the exchanges under way, and of those that lived at once.
  struct Bytes {
    double planned, under_way, measured;
  };

  Bytes bytes_on(const Ranks& ranks) const {
    const auto test = GetParam();
    const auto config = config_of(test);
    const auto batch = text_batch(4, 128, 32);
    const auto student = load_vlm(stored_.path(), test.dtype);
    student->set_activation_checkpointing(test.checkpoints);
    const auto measured = static_cast<double>(peak_bytes([&] {
      if (test.lora) student->add_lora(16, 16, config.student.lora.targets, /*seed=*/1, "test");
      const auto parameters = make_trainable(*student, config.finetune.train, "test");
      run_iterations(
          parameters, config.finetune.optimizer, [&] { return finetune(*student, batch, -1).loss; }, ranks);
    }));
    const PlannedRun run{config, test.dtype, stored_.sizes(), nullptr, 0, 0, ranks.size()};
    const auto parts = step_memory(run, StepKind::kFinetune, shape_of(batch), 1);
    const double mine =
        ranks.size() > 1 ? 4 * trained_values(run, StepKind::kFinetune).all() / static_cast<double>(ranks.size()) : 0;
    // The float64 check, which the plan has as the largest head pass, did not run.
    return {tensors_of(parts) - part(parts, "head passes"), part(parts, "exchange") - mine, measured};
  }

 private:
  const Folder folder_;
  const StoredModel stored_{folder_.path() / "model", small_config(kLayers, kWidth, /*tied=*/true), GetParam().dtype,
                            GetParam().dtype};
};

TEST_P(FinetuneMemory, IsThatOfTheTensorsThatLiveAtOnce) {
  const auto bytes = bytes_on(one_rank());
  // Formulas leave out small tensors, and have the last layer's inside whole.
  EXPECT_NEAR(bytes.planned / bytes.measured, 1, 0.10)
      << bytes.planned << " planned, " << bytes.measured << " measured";
}

TEST_P(FinetuneMemory, OfARankIsThatOfItsTensors) {
  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    const auto bytes = bytes_on(ranks);
    // As above; and exchanges get under way when the layers' activations begin to go.
    EXPECT_LT(bytes.measured, 1.10 * bytes.planned);
    EXPECT_GT(bytes.measured, 0.90 * (bytes.planned - bytes.under_way))
        << bytes.planned << " planned, " << bytes.under_way << " under way";
  });
  EXPECT_EQ(errors, std::vector<std::string>(2));
}

INSTANTIATE_TEST_SUITE_P(Cases, FinetuneMemory,
                         testing::Values(Case{at::kFloat, true, false}, Case{at::kFloat, true, true},
                                         Case{at::kFloat, false, false}, Case{at::kFloat, false, true},
                                         Case{at::kBFloat16, true, false}, Case{at::kBFloat16, true, true},
                                         Case{at::kBFloat16, false, false}, Case{at::kBFloat16, false, true}));

TEST(VerbalizeMemory, IsThatOfTheTensorsThatLiveAtOnce) {
  const Folder folder;
  const StoredModel stored(folder.path() / "model", small_config(kLayers, kWidth, true), at::kFloat, at::kFloat);
  const auto config = config_of({at::kFloat, false, false});
  const auto batch = text_batch(4, 128, 32);
  const auto student = load_vlm(stored.path(), at::kFloat);
  const auto measured = static_cast<double>(peak_bytes([&] {
    const auto verbalizers = Verbalizers::of(*student, {}, config.student.layers, /*seed=*/1);
    auto parameters = verbalizers->trained_parameters();
    for (auto& item : parameters) item.second.set_requires_grad(true);
    FrozenRows rows(student, verbalizers->request(/*final_rows=*/false));
    run_iterations(parameters, config.verbalize.optimizer,
                   [&] { return verbalize(rows, *verbalizers, batch, -1).loss; });
  }));
  const PlannedRun run{config, at::kFloat, stored.sizes(), nullptr};
  const auto parts = step_memory(run, StepKind::kVerbalizeStudent, shape_of(batch), 1);
  // The layers' work, the losses' and the update's are planned side by side, and come one after the other.
  EXPECT_LT(measured, 1.02 * tensors_of(parts));
  EXPECT_GT(measured, tensors_of(parts) - part(parts, "activations") - part(parts, "head passes"));
  EXPECT_EQ(part(parts, "optimizer"), 2 * part(parts, "verbalizers"));
}

/// A pair whose teacher is twice as wide, and a plan of its interaction.
class Pair {
 public:
  Pair()
      : student_(folder_.path() / "student", small_config(4, 64, true), at::kBFloat16, at::kBFloat16),
        teacher_(folder_.path() / "teacher", small_config(8, 128, false), at::kBFloat16, at::kBFloat16) {
    config.student.layers = {1, 2};
    config.student.lora.rank = 8;
    config.teacher.layers = {2, 4, 6};
  }

  const ModelSizes& student() const { return student_.sizes(); }
  const ModelSizes& teacher() const { return teacher_.sizes(); }
  int64_t num_ranks = 1;
  PlannedRun run() const { return {config, at::kBFloat16, student(), &teacher(), 0, 0, num_ranks}; }
  std::vector<MemoryPart> parts(StepKind step) const {
    return step_memory(run(), step, shape_of(text_batch(4, 128, 32)), 1);
  }
  double bytes(const std::string& name, StepKind step = StepKind::kInteract) const { return part(parts(step), name); }

  RunConfig config;

 private:
  Folder folder_;
  StoredModel student_, teacher_;
};

TEST(InteractMemory, HoldsBothModelsAndTheirVerbalizers) {
  const Pair pair;
  EXPECT_EQ(pair.bytes("student weights"),
            2 * (pair.student().part("decoder").values + pair.student().part("embeddings").values));
  // Of an untied embedding, rows that tokens touch: here pages of all of it.
  EXPECT_EQ(pair.bytes("teacher weights"), 2 * (pair.teacher().part("decoder").values + 2 * 512 * 128));
  EXPECT_EQ(pair.bytes("verbalizers"), 4 * (2 * 3 * 64 * 64 + 3 * 3 * 128 * 128));
  EXPECT_EQ(pair.bytes("gradients"), 4 * pair.student().lora_values(8, pair.config.student.lora.targets));
  EXPECT_EQ(pair.bytes("student weights", StepKind::kVerbalizeTeacher), 0);  // they are views, and given up
  EXPECT_EQ(pair.bytes("teacher weights", StepKind::kVerbalizeStudent), 0);
  EXPECT_EQ(pair.bytes("teacher weights", StepKind::kFinetune), 0);
}

TEST(InteractMemory, HoldsKeysAndValuesOfDrawnAnswers) {
  Pair pair;
  const double without = pair.bytes("caches");
  pair.config.interact.on_policy = {.share = 0.5, .max_new_tokens = 100};
  // Of 16 micro-batches of four samples of 128 tokens a half: 32 answers, 228 tokens each with their prompts.
  const int64_t bytes = KvCache::bytes_a_block(pair.student().text(), at::kBFloat16);
  EXPECT_EQ(pair.bytes("caches") - without, static_cast<double>(bytes * 32 * (228 / 16 + 1)));
  pair.config.interact.on_policy.share = 1;
  EXPECT_EQ(pair.bytes("caches") - without, static_cast<double>(bytes * 64 * (228 / 16 + 1)));
  pair.config.interact.optimizer.accumulate = 32;  // no more are drawn at once
  EXPECT_EQ(pair.bytes("caches") - without, static_cast<double>(bytes * 64 * (228 / 16 + 1)));
  EXPECT_EQ(pair.bytes("caches", StepKind::kFinetune), without);
}

TEST(InteractMemory, OfAQuantisedTeacherHasItsMapsInFewerBits) {
  Pair pair;
  const double as_it_is = pair.bytes("teacher weights");
  pair.config.teacher.quantize = Quantization::kInt8;
  const double saved = pair.teacher().map_bytes(Quantization::kNone) - pair.teacher().map_bytes(Quantization::kInt8);
  EXPECT_GT(saved, 0);
  EXPECT_EQ(pair.bytes("teacher weights"), as_it_is - saved);
}

TEST(InteractMemory, OfAStreamedTeacherIsTwoLayersOrTheHead) {
  Pair pair;
  pair.config.teacher.residency = Residency::kStreamed;
  const double layer = 2 * pair.teacher().largest_layer.values;
  EXPECT_EQ(pair.bytes("teacher weights"), std::max(2 * layer, 2.0 * 512 * 128));
  pair.config.teacher.quantize = Quantization::kInt8;  // files of 512 x 128 numbers and more: the head is larger
  EXPECT_EQ(pair.bytes("teacher weights"),
            std::max(2 * pair.teacher().quantized_layer_bytes(Quantization::kInt8), 2.0 * 512 * 128));
  pair.config.teacher.quantize = Quantization::kNone;
  pair.config.interact.optimizer.accumulate = 16;
  const double sixteen = pair.bytes("activations");
  pair.config.interact.optimizer.accumulate = 64;
  EXPECT_GT(pair.bytes("activations"), sixteen);  // its micro-batches are under way together
}

TEST(InteractMemory, OfAShardedTeacherIsARanksShareAndTwoLayersOrTheHead) {
  Pair pair;
  const double resident = pair.bytes("teacher weights");
  pair.config.teacher.residency = Residency::kSharded;
  EXPECT_EQ(pair.bytes("teacher weights"), resident) << "alone";
  pair.num_ranks = 4;
  const auto& teacher = pair.teacher();
  const double tower = 2 * (teacher.part("vision").values + teacher.part("projector").values);
  EXPECT_EQ(pair.bytes("teacher weights"), (2 * teacher.part("decoder").values + tower) / 4 +
                                               std::max(4 * teacher.largest_layer.values, tower + 2.0 * 512 * 128));
}

TEST(InteractMemory, OfARankHasItsShareOfTheStateAndItsMicroBatches) {
  Pair pair;
  pair.config.interact.train = {"decoder"};
  const double values = pair.student().part("decoder").values;
  EXPECT_EQ(pair.bytes("exchange"), 0);
  const double weights = pair.bytes("trained weights"), gradients = pair.bytes("gradients");
  pair.num_ranks = 4;
  EXPECT_EQ(pair.bytes("optimizer"), 8 * values / 4);
  EXPECT_EQ(weights - pair.bytes("trained weights"), 4 * values * 3 / 4) << "of masters";
  EXPECT_EQ(pair.bytes("gradients"), gradients) << "whole on every rank";
  EXPECT_EQ(pair.bytes("exchange"), 4 * (values / 4 + values * 1.25)) << "all of them are under way at once";

  pair.config.interact.optimizer.accumulate = 6;
  auto run = pair.run();
  EXPECT_EQ(num_micro_batches(run, StepKind::kInteract), 24);
  EXPECT_EQ(micro_batches_of_a_rank(run, StepKind::kInteract), 6);
  run.ranks_at_start = 3;
  EXPECT_EQ(num_micro_batches(run, StepKind::kInteract), 18);
  EXPECT_EQ(micro_batches_of_a_rank(run, StepKind::kInteract), 5) << "the most of any";
}

TEST(InteractMemory, OfACachedTeacherHasNoTeacher) {
  Pair pair;
  pair.config.teacher.cache = "cache";
  EXPECT_EQ(pair.bytes("teacher weights"), 0);
  EXPECT_EQ(pair.bytes("verbalizers"), 4 * 2 * 3 * 64 * 64);
}

TEST(InteractMemory, OfRowsWithoutHeadsTrainsVerbalizersOfTheTeachersWidth) {
  Pair pair;
  pair.config.interact.head = false;
  pair.config.interact.intermediate_loss = LossKind::kL2;
  VerbalizerConfig network;
  network.output_width = 128;
  const Verbalizers verbalizers(network, pair.student().text(), {1, 2}, /*seed=*/1);
  double values = 0;
  for (const auto& [name, parameter] : verbalizers.named_parameters()) values += static_cast<double>(parameter.numel());
  EXPECT_EQ(trained_values(pair.run(), StepKind::kInteract).verbalizers, values);
}

TEST(InteractMemory, OfHeadPassesIsOfWhatTheLossesTake) {
  Pair pair;
  const double n = 1024;  // answer positions
  const auto head_passes = [&](LossKind layers) {
    pair.config.interact.intermediate_loss = layers;
    return part(step_memory(pair.run(), StepKind::kInteract, shape_of(text_batch(4, 256, 256)), 1), "head passes");
  };
  const double kl = head_passes(LossKind::kKl);
  EXPECT_EQ(kl - head_passes(LossKind::kCrossEntropy), 4 * n * (3 * 7 * 128 + 3 * 2 * 64))
      << "neither verbalizers of the teacher nor summaries of its target layers";
  EXPECT_EQ(kl - head_passes(LossKind::kL2),
            4 * n * (5 * 2 * 64 - 2 * 3 * 64 - 3 * (64 + 2 * 128)) - 4 * (64 + 128) * (64 + 128))
      << "products with Gram matrices in the place of summaries";
}

TEST(InteractMemory, OfCrossEntropyReadsTheTeachersLastLayerAlone) {
  Pair pair;
  pair.config.teacher.residency = Residency::kStreamed;
  pair.config.interact.optimizer.accumulate = 64;  // the micro-batches' rows are most of the activations
  const double kl = pair.bytes("activations");
  pair.config.interact.intermediate_loss = LossKind::kCrossEntropy;
  EXPECT_EQ(kl - pair.bytes("activations"), 2 * 64 * 3 * 128 * 128) << "32 answers of each of 4 samples, 128 wide";
}

TEST(FinetuneMemory, KeepsCopiesOfWhatTheInteractionChanged) {
  Pair pair;
  pair.config.finetune.train = {"lora"};
  const double before = pair.bytes("trained weights", StepKind::kFinetune);
  pair.config.interact.train = {"decoder", "projector"};
  EXPECT_EQ(pair.bytes("trained weights", StepKind::kFinetune) - before,
            2 * (pair.student().part("decoder").values + pair.student().part("projector").values));
}

TEST(LoadingMemory, HoldsConvertedWeightsTwice) {
  const Folder folder;
  const StoredModel stored(folder.path() / "model", small_config(2, 64, true), at::kFloat, at::kBFloat16);
  RunConfig config;
  config.finetune.train = {};
  const PlannedRun run{config, at::kBFloat16, stored.sizes(), nullptr};
  const auto parts = step_memory(run, StepKind::kFinetune, {}, 1);
  EXPECT_EQ(part(parts, "student weights"), 2 * stored.sizes().all.values);
  EXPECT_EQ(total_bytes(parts), std::max(total_bytes(parts), 6 * stored.sizes().all.values));
}

}  // namespace
}  // namespace vlsi
