// Drafts by verbalizers: what they compute, what they leave alone, and what cannot draft.
#include "run/verbal_draft.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "generate/engine.h"
#include "tests/serve/tiny_speaker.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

class DraftsOfVerbalizers : public testing::Test {
 protected:
  DraftsOfVerbalizers() { give_verbalizers("verb_ffn"); }

  void give_verbalizers(const std::string& network) {
    VerbalizerConfig config;
    config.architecture = parse_or_fail<ChosenNetwork>(network, "network");
    speaker().verbalizers = Verbalizers::of(*speaker().model, config, {1, 2}, 5);
  }
  Speaker& speaker() { return tiny_.speaker; }

  TinySpeaker tiny_;
};

TEST_F(DraftsOfVerbalizers, ReadTheRowsOfTheirOwnLayer) {
  at::NoGradGuard no_grad;
  const auto draft = draft_by_verbalizer(speaker(), 2, 3);
  EXPECT_EQ(draft.layer, 2);
  EXPECT_EQ(draft.num_tokens, 3);
  const auto rows = at::randn({5, speaker().model->head().size(1)});
  const auto spoken = speaker().verbalizers->forward(at::stack({at::zeros_like(rows), rows}), {})[1];
  const auto expect_head = [&](const Draft& found, const at::Tensor& head) {
    const auto wanted = at::linear(spoken.to(at::kDouble), head.to(at::kDouble));
    // float32 sums of as many products as the model is wide, of numbers around 1.
    EXPECT_LE((found.logits(rows) - wanted).abs().max().item<double>(), 1e-5 * wanted.abs().max().item<double>());
  };
  expect_head(draft, speaker().model->head());
  speaker().verbal_head = at::randn(speaker().model->head().sizes());
  expect_head(draft_by_verbalizer(speaker(), 2, 3), speaker().verbal_head);
}

TEST_F(DraftsOfVerbalizers, ChangeNoAnswer) {
  const auto prompt =
      speaker().processor->encode_prompt({"q", "", {{Role::kUser, {{Content::Kind::kText, "what?", {}}}}}});
  auto decoding = speaker().greedy;
  decoding.max_new_tokens = 30;
  const auto& tokenizer = speaker().processor->tokenizer();
  Engine plain(*speaker().model, tokenizer, nullptr);
  const auto wanted = generate(plain, prompt, decoding);
  for (const char* network : {"verb_ffn", "mlp_x2"}) {
    give_verbalizers(network);
    EngineConfig config;
    config.draft = draft_by_verbalizer(speaker(), 1, 4);
    Engine engine(*speaker().model, tokenizer, nullptr, config);
    const auto found = generate(engine, prompt, decoding);
    EXPECT_EQ(found.tokens, wanted.tokens);
    EXPECT_GT(found.counts.drafted, 0);
    EXPECT_EQ(found.counts.passes + found.counts.accepted, 29);  // the prompt gives the first
  }
}

TEST_F(DraftsOfVerbalizers, RefuseWhatCannotDraft) {
  expect_error([&] { draft_by_verbalizer(speaker(), 3, 4); }, {"layer 3", "for [1, 2]"});
  give_verbalizers("decoder");
  expect_error([&] { draft_by_verbalizer(speaker(), 1, 4); }, {"layer 1", "'decoder'", "all earlier tokens"});
  speaker().verbalizers.reset();
  expect_error([&] { draft_by_verbalizer(speaker(), 1, 4); }, {"layer 1", "no verbalizers"});
}

}  // namespace
}  // namespace vlsi
