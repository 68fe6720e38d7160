// The planned work against the matrix products that a step asks for.
#include "plan/step_work.h"

#include <ATen/core/grad_mode.h>

#include "method/step1_verbalize.h"
#include "method/step2_interact.h"
#include "method/step3_finetune.h"
#include "objective/verbal_kl.h"
#include "teacher/verbalizers.h"
#include "teacher/visual_advantage.h"
#include "tests/plan/plan_fixture.h"

namespace vlsi {
namespace {

using namespace plan_fixture;

/// Attention's two products, half of them masked, as planned; LibTorch's kernel is no matrix product of its own.
double attention_flops(const Batch& batch, const ModelConfig& model, double passes) {
  const auto length = static_cast<double>(batch.num_tokens()) / static_cast<double>(batch.num_samples());
  return passes * 2 * length *
         static_cast<double>(batch.num_tokens() * model.text.hidden_size * model.text.num_hidden_layers);
}

TEST(StepWork, OfFinetuningIsThatOfItsProducts) {
  for (const bool lora : {true, false}) {
    for (const bool checkpoints : {true, false}) {
      SCOPED_TRACE(testing::Message() << lora << checkpoints);
      const Folder folder;
      const StoredModel stored(folder.path() / "model", small_config(6, 64, /*tied=*/true), at::kFloat, at::kFloat);
      RunConfig config;
      config.activation_checkpointing = checkpoints;
      config.finetune.optimizer.accumulate = 1;
      config.finetune.train =
          lora ? std::vector<std::string>{"lora"} : std::vector<std::string>{"decoder", "embeddings"};
      config.student.lora.rank = lora ? 8 : 0;
      const auto student = load_vlm(stored.path(), at::kFloat);
      student->set_activation_checkpointing(checkpoints);
      if (lora) student->add_lora(8, 8, config.student.lora.targets, 1, "test");
      make_trainable(*student, config.finetune.train, "test");
      const auto batch = text_batch(2, 64, 64);  // all of the tokens, so that the last layer spares nothing
      const double counted = product_flops([&] { finetune(*student, batch, -1).loss.backward(); });
      const auto work = step_work({config, at::kFloat, stored.sizes(), nullptr}, StepKind::kFinetune, shape_of(batch));
      const double planned =
          work.model_flops - attention_flops(batch, stored.sizes().model->config(), checkpoints ? 3 : 2);
      // Norms and biases count as weights that are multiplied with, and the first layer's input has no gradient with
      // adapters.
      EXPECT_NEAR(planned / counted, 1, 0.05) << planned << " planned, " << counted << " counted";
    }
  }
}

TEST(StepWork, OfVerbalizationIsThatOfItsProducts) {
  const Folder folder;
  const StoredModel stored(folder.path() / "model", small_config(6, 64, true), at::kFloat, at::kFloat);
  RunConfig config;
  config.student.layers = {3, 6};
  config.verbalize.optimizer.accumulate = 1;
  const auto student = load_vlm(stored.path(), at::kFloat);
  const auto verbalizers = Verbalizers::of(*student, {}, config.student.layers, 1);
  for (auto& item : verbalizers->trained_parameters()) item.second.set_requires_grad(true);
  FrozenRows rows(student, verbalizers->request(/*final_rows=*/false));
  const auto batch = text_batch(2, 64, 64);
  const double counted = product_flops([&] { verbalize(rows, *verbalizers, batch, -1).loss.backward(); });
  const auto work =
      step_work({config, at::kFloat, stored.sizes(), nullptr}, StepKind::kVerbalizeStudent, shape_of(batch));
  // Of each verbalizer's three maps, the last one's input has a gradient, too.
  EXPECT_NEAR(
      (work.model_flops + work.float32_flops - attention_flops(batch, stored.sizes().model->config(), 1)) / counted, 1,
      0.05);
}

TEST(StepWork, OfEveryLossOfTheInteractionIsThatOfItsProducts) {
  struct Losses {
    LossKind layers, last;
    bool head = true;
  };
  using enum LossKind;
  const Folder folder;
  const StoredModel student(folder.path() / "student", small_config(6, 64, true), at::kFloat, at::kFloat);
  const StoredModel teacher(folder.path() / "teacher", small_config(4, 128, false), at::kFloat, at::kFloat);
  RunConfig config;
  config.student.layers = {2, 4};
  config.teacher.layers = {1, 2, 3};
  config.interact.optimizer.accumulate = 1;
  config.interact.train = {"decoder"};
  const auto batch = text_batch(2, 64, 64);
  const auto model = load_vlm(student.path(), at::kFloat), running = load_vlm(teacher.path(), at::kFloat);
  make_trainable(*model, config.interact.train, "test");
  const auto grams = head_grams(model->head(), running->head());
  for (const auto& [layers, last, head] :
       {Losses{kKl, kKl}, Losses{kKl, kCrossEntropy}, Losses{kKl, kL2}, Losses{kCrossEntropy, kKl},
        Losses{kCrossEntropy, kCrossEntropy}, Losses{kL2, kL2}, Losses{kL2, kKl}, Losses{kNone, kKl},
        Losses{kNone, kL2}, Losses{kL2, kKl, false}, Losses{kL2, kCrossEntropy, false}}) {
    SCOPED_TRACE(testing::Message() << text_of(layers) << ' ' << text_of(last) << ' ' << head);
    config.interact.intermediate_loss = layers;
    config.interact.last_loss = last;
    config.interact.head = head;
    VerbalizerConfig network;
    network.output_width = head ? 0 : 128;
    std::shared_ptr<Verbalizers> of_student, of_teacher;
    if (layers != kNone) of_student = Verbalizers::of(*model, network, config.student.layers, 1);
    if (layers == kKl || layers == kL2) of_teacher = Verbalizers::of(*running, {}, config.teacher.layers, 1);
    if (!head) {
      for (auto& item : of_student->trained_parameters()) item.second.set_requires_grad(true);
    }
    Random random(1);
    const Interaction interaction{*model,          of_student.get(), live_teacher(running, of_teacher, model, kAllIds),
                                  config.interact, random,           -1,
                                  &grams};
    const double counted = product_flops([&] { interact(interaction, batch).loss.backward(); });
    const auto work =
        step_work({config, at::kFloat, student.sizes(), &teacher.sizes()}, StepKind::kInteract, shape_of(batch));
    double planned = work.model_flops + work.float32_flops - attention_flops(batch, student.sizes().model->config(), 2);
    if (teacher_is_read(config.interact)) planned -= attention_flops(batch, teacher.sizes().model->config(), 1);
    // As for fine-tuning: norms and biases, and the first layer's input.
    EXPECT_NEAR(planned / counted, 1, 0.05) << planned << " planned, " << counted << " counted";
  }
}

TEST(StepWork, OfADivergenceIsThatOfItsProducts) {
  const Folder folder;
  const StoredModel student(folder.path() / "student", small_config(2, 64, true), at::kFloat, at::kFloat);
  const StoredModel teacher(folder.path() / "teacher", small_config(2, 128, false), at::kFloat, at::kFloat);
  RunConfig config;
  config.student.layers = config.teacher.layers = {1, 2};
  config.interact.optimizer.accumulate = 1;
  const auto batch = text_batch(2, 64, 64);
  const auto planned = [&](LossKind intermediate, const LastLoss& last) {
    config.interact.intermediate_loss = intermediate;
    config.interact.last_loss = last;
    const auto work =
        step_work({config, at::kFloat, student.sizes(), &teacher.sizes()}, StepKind::kInteract, shape_of(batch));
    return work.model_flops + work.float32_flops;
  };
  const auto head = at::randn({512, 64}), teacher_head = at::randn({512, 128});
  const auto u = at::randn({128, 64}), v = at::randn({128, 128});
  const double kl =
      product_flops([&] { all_pairs_kl(u.unsqueeze(0), head, summarize_teacher(v.unsqueeze(0), teacher_head, head)); });
  for (const auto& entry : divergences()) {
    const LastLoss last(entry.name);
    const double counted = product_flops([&] { entry.losses({u, head, v, teacher_head}, {}); });
    // In the place of the KL alone, and beside the KL of target layers, with which the last layer's comes. The products
    // of the likeliest words' rows are batched ones, which are not counted: 64 words of 512, for one of three products.
    EXPECT_NEAR((planned(LossKind::kNone, last) - planned(LossKind::kNone, LossKind::kKl)) / (counted - kl), 1, 0.2)
        << entry.name;
    EXPECT_NEAR((planned(LossKind::kKl, last) - planned(LossKind::kKl, LossKind::kKl)) / counted, 1, 0.05)
        << entry.name;
  }
}

TEST(StepWork, OfAVisualAdvantageIsASecondPassOfTheTeacher) {
  const Folder folder;
  const StoredModel student(folder.path() / "student", small_config(2, 64, true), at::kFloat, at::kFloat);
  const StoredModel teacher(folder.path() / "teacher", small_config(6, 64, false), at::kFloat, at::kFloat);
  RunConfig config;
  config.student.layers = config.teacher.layers = {1, 2};
  config.interact.optimizer.accumulate = 1;
  const auto batch = text_batch(2, 64, 64);
  const auto work = [&](WeightingKind kind) {
    config.interact.weighting.kind = kind;
    return step_work({config, at::kFloat, student.sizes(), &teacher.sizes()}, StepKind::kInteract, shape_of(batch));
  };
  const double planned = work(WeightingKind::kVisualAdvantage).model_flops - work(WeightingKind::kNone).model_flops;
  const auto model = load_vlm(teacher.path(), at::kFloat);
  const double counted = product_flops([&] {
    at::NoGradGuard no_grad;
    const auto rows = model->forward(batch, HiddenRequest{}).final_rows;
    visual_advantage(rows, rows, model->head(), batch.labels);
  });
  // Whole numbers below 2^53: nothing is rounded but their quotient.
  EXPECT_NEAR((planned - attention_flops(batch, teacher.sizes().model->config(), 1)) / counted, 1, 1e-12);
  config.teacher.residency = Residency::kStreamed;
  EXPECT_EQ(work(WeightingKind::kVisualAdvantage).read_bytes, 2 * work(WeightingKind::kNone).read_bytes);
}

TEST(StepWork, OfDrawnAnswersIsAPassOverAllTokens) {
  const Folder folder;
  const StoredModel stored(folder.path() / "model", small_config(6, 64, true), at::kFloat, at::kFloat);
  RunConfig config;
  config.student.layers = {3, 6};
  config.interact.optimizer.accumulate = 1;
  const auto batch = text_batch(2, 64, 64);
  const auto planned = [&] {
    return step_work({config, at::kFloat, stored.sizes(), nullptr}, StepKind::kInteract, shape_of(batch)).model_flops;
  };
  const double without = planned();
  config.interact.on_policy.share = 1;
  const double drawn = planned() - without;
  const auto student = load_vlm(stored.path(), at::kFloat);
  at::NoGradGuard no_grad;
  const double counted = product_flops([&] { at::mm(student->forward(batch, {}).final_rows, student->head().t()); });
  // Whole numbers below 2^53: nothing is rounded but their quotient.
  EXPECT_NEAR((drawn - attention_flops(batch, stored.sizes().model->config(), 1)) / counted, 1, 1e-12);
  config.interact.on_policy.share = 0.25;
  EXPECT_NEAR(planned() - without, drawn / 4, 1e-6 * drawn);
}

TEST(StepWork, OfAStreamedTeacherReadsItOnceAnIteration) {
  const Folder folder;
  const StoredModel student(folder.path() / "student", small_config(2, 64, true), at::kFloat, at::kFloat);
  const StoredModel teacher(folder.path() / "teacher", small_config(4, 64, false), at::kFloat, at::kFloat);
  RunConfig config;
  config.student.layers = config.teacher.layers = {1, 2};
  const auto shape = shape_of(text_batch(2, 64, 8));
  const auto work = [&](StepKind step) {
    return step_work({config, at::kFloat, student.sizes(), &teacher.sizes()}, step, shape);
  };
  EXPECT_EQ(work(StepKind::kInteract).read_bytes, 0);
  const double resident = work(StepKind::kInteract).model_flops;
  config.teacher.residency = Residency::kStreamed;
  EXPECT_EQ(work(StepKind::kInteract).read_bytes, 4 * (teacher.sizes().all.values - 512 * 64));
  EXPECT_EQ(work(StepKind::kInteract).model_flops, resident);
  EXPECT_EQ(work(StepKind::kFinetune).read_bytes, 0);
  config.teacher.cache = "cache";
  EXPECT_EQ(work(StepKind::kInteract).read_bytes, 0);
  EXPECT_LT(work(StepKind::kInteract).model_flops, resident);
  config.interact.optimizer.accumulate *= 2;
  const double twice = work(StepKind::kInteract).model_flops;
  config.interact.optimizer.accumulate /= 2;
  EXPECT_EQ(twice, 2 * work(StepKind::kInteract).model_flops);
}

}  // namespace
}  // namespace vlsi
