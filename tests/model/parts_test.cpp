// Which parameters learn.
#include "model/parts.h"

#include <set>

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

std::set<std::string> parts_of(const NamedTensors& tensors) {
  std::set<std::string> parts;
  for (const auto& item : tensors) parts.emplace(part_of(item.first));
  return parts;
}

TEST(PartOf, GoesByTheName) {
  EXPECT_EQ(part_of("vision.patch_embed.proj.weight"), "vision");
  EXPECT_EQ(part_of("vision.blocks.1.norm1.bias"), "vision");
  EXPECT_EQ(part_of("projector.ln_q.weight"), "projector");
  EXPECT_EQ(part_of("embeddings.weight"), "embeddings");
  EXPECT_EQ(part_of("head.weight"), "head");
  EXPECT_EQ(part_of("decoder.norm.weight"), "decoder");
  EXPECT_EQ(part_of("decoder.layers.0.self_attn.q_proj.bias"), "decoder");
  EXPECT_EQ(part_of("decoder.layers.0.self_attn.q_proj.lora_A"), "lora");
  EXPECT_EQ(part_of("decoder.layers.0.self_attn.q_proj.lora_B"), "lora");
}

TEST(MakeTrainable, ReturnsTheNamedPartsInTheModelsOrderAndFreezesTheRest) {
  const auto model = load_vlm(fixtures::directory("untied"), at::kFloat);
  make_trainable(*model, {"vision", "decoder"}, "test");
  const auto trained = make_trainable(*model, {"head", "projector"}, "test");
  EXPECT_EQ(parts_of(trained), (std::set<std::string>{"head", "projector"}));
  size_t next = 0;
  for (const auto& [name, value] : model->named_parameters()) {
    const bool learns = part_of(name) == "head" || part_of(name) == "projector";
    EXPECT_EQ(value.requires_grad(), learns) << name;
    if (!learns) continue;
    ASSERT_LT(next, trained.size());
    EXPECT_EQ(trained[next].first, name);
    EXPECT_TRUE(trained[next].second.is_same(value)) << "the returned tensor is not the model's own";
    ++next;
  }
  EXPECT_EQ(next, trained.size());
}

TEST(MakeTrainable, CopiesMappedWeightsSoThatTheyCanChange) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto trained = make_trainable(*model, {"embeddings"}, "test");
  ASSERT_EQ(trained.size(), 1U);
  {
    at::NoGradGuard no_grad;
    trained.front().second.add_(1);
  }
  EXPECT_TRUE(at::equal(model->head(), load_vlm(fixtures::directory("tied"), at::kFloat)->head() + 1));
}

TEST(MakeTrainable, TakesATiedHeadForTheEmbedding) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  EXPECT_EQ(parts_of(make_trainable(*model, {"embeddings", "head"}, "test")), std::set<std::string>{"embeddings"});
  EXPECT_EQ(parts_of(make_trainable(*model, {"head", "decoder"}, "test")), std::set<std::string>{"decoder"});
}

TEST(MakeTrainable, RefusesUnknownAndAbsentParts) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto unknown = message_of([&] { make_trainable(*model, {"decoders"}, "train.parts"); });
  EXPECT_NE(unknown.find("train.parts: unknown part 'decoders'"), std::string::npos) << unknown;
  const auto absent = message_of([&] { make_trainable(*model, {"lora"}, "train.parts"); });
  EXPECT_NE(absent.find("no part 'lora'"), std::string::npos) << absent;
}

TEST(CheckParts, LooksWithoutChangingTheModel) {
  const auto model = load_vlm(fixtures::directory("tied"), at::kFloat);
  EXPECT_NO_THROW(check_parts(*model, {"decoder", "embeddings", "head", "projector", "vision"}, "train.parts"));
  EXPECT_NE(message_of([&] { check_parts(*model, {"decoders"}, "train.parts"); }).find("unknown part 'decoders'"),
            std::string::npos);
  EXPECT_NE(message_of([&] { check_parts(*model, {"lora"}, "train.parts"); }).find("set student.lora.rank"),
            std::string::npos);
  model->add_lora(2, 2, {"q_proj"}, 1, "test");
  EXPECT_NO_THROW(check_parts(*model, {"lora"}, "train.parts"));
  for (const auto& item : model->named_parameters()) EXPECT_FALSE(item.second.requires_grad()) << item.first;
}

TEST(CheckReached, RefusesAHeadAloneThatCannotLearn) {
  const auto tied = load_vlm(fixtures::directory("tied"), at::kFloat);
  const auto untied = load_vlm(fixtures::directory("untied"), at::kFloat);
  const auto check = [](const Vlm& model, const std::vector<std::string>& parts, bool head_learns) {
    return message_of([&] { check_reached(model, parts, head_learns, "run: key 'interact.train'"); });
  };
  for (const bool head_learns : {false, true}) {
    const auto message = check(*tied, {"head"}, head_learns);
    EXPECT_NE(message.find("run: key 'interact.train' is [head]"), std::string::npos) << message;
    EXPECT_NE(message.find("the part embeddings"), std::string::npos) << message;
    for (const auto* model : {tied.get(), untied.get()}) {
      EXPECT_EQ(check(*model, {"head", "embeddings"}, head_learns), "no error");
      EXPECT_EQ(check(*model, {"projector"}, head_learns), "no error");
    }
  }
  const auto message = check(*untied, {"head"}, /*head_learns=*/false);
  EXPECT_NE(message.find("losses take the head as it is"), std::string::npos) << message;
  EXPECT_EQ(check(*untied, {"head"}, /*head_learns=*/true), "no error");
}

TEST(PartNames, AreThoseOfTheParameters) {
  const auto model = load_vlm(fixtures::directory("untied"), at::kFloat);
  model->add_lora(2, 2, {"q_proj"}, 1, "test");
  const auto found = parts_of(model->named_parameters());
  EXPECT_EQ(found, std::set<std::string>(part_names().begin(), part_names().end()));
}

}  // namespace
}  // namespace vlsi
