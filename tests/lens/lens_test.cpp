// What layers say, against the definition in plain operations and against greedy generation.
#include "lens/lens.h"

#include <cmath>

#include "checkpoint/save.h"
#include "data/processor.h"
#include "generate/engine.h"
#include "teacher/teacher.h"
#include "tests/model/fixtures.h"
#include "tests/support/errors.h"
#include "tests/support/initialize_vlm.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// A model with random weights, its verbalizers, and a question with a picture.
class LensOfATinyModel : public testing::Test {
 protected:
  LensOfATinyModel() {
    const fs::path tiny = fs::path(VLSI_TEST_DATA) / "tiny";
    const auto directory = folder_.path() / "model";
    const auto description = folder_.path() / "description";
    fs::create_directories(description);
    fs::copy_file(tiny / "teacher.json", description / "config.json");
    save_vlm(directory, *initialize_vlm(load_model_config(description), Initializer::kFanIn, 3), at::kFloat,
             tiny / "tokenizer");
    speaker_ = load_speaker({directory}, at::kFloat, at::kCPU);
    speaker_.greedy.stop_tokens = {processor().end_of_turn()};
    speaker_.verbalizers = Verbalizers::of(model(), {}, {1, 2}, 5);
    conversation_ = {"q",
                     "",
                     {{Role::kUser,
                       {{Content::Kind::kImage, "", fs::path(VLSI_TEST_DATA) / "images/rgb_8.png"},
                        {Content::Kind::kText, "what color is the shape?", {}}}}}};
  }

  Reply own_answer(int64_t max_new_tokens, const std::vector<int64_t>& stop_tokens) const {
    Engine engine(model(), processor().tokenizer(), nullptr);
    Decoding decoding;
    decoding.max_new_tokens = max_new_tokens;
    decoding.stop_tokens = stop_tokens;
    return generate(engine, prompt(), decoding);
  }
  const Vlm& model() const { return *speaker_.model; }
  const Processor& processor() const { return *speaker_.processor; }
  LensReading read(const Sample& sample, const std::optional<std::vector<int32_t>>& answer = std::nullopt) const {
    return read_lens(speaker_, {.max_new_tokens = 5, .num_candidates = 4}, sample, answer);
  }
  Sample prompt() const { return processor().encode_prompt(conversation_); }
  /// The answer's token ids.
  std::vector<int32_t> answer(const std::string& text) const { return processor().tokenizer().encode(text); }

  /// The positions of the answer as the whole conversation has them: a path of its own through the processor.
  Batch conversation_with(const std::string& text) const {
    auto whole = conversation_;
    whole.turns.push_back({Role::kAssistant, {{Content::Kind::kText, text, {}}}});
    return pack({processor().encode(whole)});
  }

  Folder folder_;
  Speaker speaker_;
  Conversation conversation_;
};

/// softmax(rows headᵀ) in float64. [N, V]
at::Tensor distribution(const at::Tensor& rows, const at::Tensor& head) {
  return at::linear(rows.to(at::kDouble), head.to(at::kDouble)).softmax(-1);
}

void expect_reads(const LayerReading& reading, const at::Tensor& probabilities) {
  ASSERT_EQ(std::ssize(reading.positions), probabilities.size(0));
  for (size_t n = 0; n < reading.positions.size(); ++n) {
    const auto [sorted, order] = probabilities[static_cast<int64_t>(n)].sort(/*stable=*/true, -1, /*descending=*/true);
    for (size_t i = 0; i < reading.positions[n].size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      EXPECT_EQ(reading.positions[n][i].token, order[at].item<int64_t>()) << "position " << n << ", candidate " << i;
      // float32 sums over 64 products and 320 rows.
      EXPECT_NEAR(reading.positions[n][i].probability, sorted[at].item<double>(), 1e-5);
    }
  }
}

TEST_F(LensOfATinyModel, ReadsVerbalizersAsTheirDefinitionSays) {
  at::NoGradGuard no_grad;
  const auto reading = read(prompt(), answer("a red circle"));
  const auto hidden = model().forward(conversation_with("a red circle"), {{1, 2}, true});
  ASSERT_EQ(reading.layers.size(), 3U);
  EXPECT_TRUE(reading.verbalized);
  EXPECT_TRUE(reading.answer_given);
  EXPECT_EQ(reading.layers[0].positions.size(), answer("a red circle").size() + 1) << "and the end of turn";
  for (int64_t i = 0; i < 2; ++i) {
    const auto weights = fixtures::by_name(speaker_.verbalizers->named_parameters());
    const auto weight = [&](const char* name) {
      return weights.at(concat("layers.", i + 1, ".", name, ".weight")).to(at::kDouble);
    };
    const auto h = hidden.layers[i].to(at::kDouble);
    const auto u = at::linear(at::silu(at::linear(h, weight("gate"))) * at::linear(h, weight("up")), weight("down"));
    EXPECT_EQ(reading.layers[i].layer, i + 1);
    expect_reads(reading.layers[i], distribution(u, model().head()));
  }
  expect_reads(reading.layers[2], distribution(hidden.final_rows, model().head()));
}

TEST_F(LensOfATinyModel, ReadsVerbalizersThatAttendToAllTokens) {
  at::NoGradGuard no_grad;
  VerbalizerConfig config;
  config.architecture = ChosenNetwork("decoder");
  speaker_.verbalizers = Verbalizers::of(model(), config, {1, 2}, 5);
  const auto reading = read(prompt(), answer("a red circle"));
  const auto rows = verbal_rows(model(), speaker_.verbalizers.get(), conversation_with("a red circle"));
  ASSERT_EQ(reading.layers.size(), 3U);
  for (int64_t i = 0; i < 3; ++i) expect_reads(reading.layers[i], distribution(rows[i], model().head()));
}

TEST_F(LensOfATinyModel, ReadsEveryLayerThroughTheFinalNormWithoutVerbalizers) {
  at::NoGradGuard no_grad;
  speaker_.verbalizers = nullptr;
  const auto reading = read(prompt(), answer("red"));
  EXPECT_FALSE(reading.verbalized);
  ASSERT_EQ(std::ssize(reading.layers), model().num_layers());
  std::vector<int64_t> all;
  for (int64_t layer = 1; layer <= model().num_layers(); ++layer) all.push_back(layer);
  const auto hidden = model().forward(conversation_with("red"), {all, true});
  const auto weight = fixtures::by_name(model().named_parameters()).at("decoder.norm.weight").to(at::kDouble);
  for (size_t i = 0; i < all.size(); ++i) {
    const auto h = hidden.layers[static_cast<int64_t>(i)].to(at::kDouble);
    const auto normed = h / (h.square().mean(-1, true) + model().config().text.rms_norm_eps).sqrt() * weight;
    expect_reads(reading.layers[i], distribution(normed, model().head()));
  }
}

TEST_F(LensOfATinyModel, ReadsTheSameAFewPositionsAtATime) {
  const auto said = answer("a red circle in front of a blue square");
  const auto whole = read(prompt(), said);
  for (const int64_t num_logits : {int64_t{1}, 3 * model().head().size(0)}) {
    const auto pieces =
        read_lens(speaker_, {.max_new_tokens = 5, .num_candidates = 4, .num_logits = num_logits}, prompt(), said);
    ASSERT_EQ(pieces.layers.size(), whole.layers.size());
    for (size_t i = 0; i < whole.layers.size(); ++i) {
      const auto &some = pieces.layers[i].positions, &all = whole.layers[i].positions;
      ASSERT_EQ(some.size(), all.size());
      for (size_t n = 0; n < all.size(); ++n) {
        for (size_t k = 0; k < 4; ++k) {
          EXPECT_EQ(some[n][k].token, all[n][k].token);
          EXPECT_NEAR(some[n][k].probability, all[n][k].probability, 1e-5);  // float32 sums over 64 products
        }
      }
    }
  }
}

TEST_F(LensOfATinyModel, RefusesAnAnswerBeyondTheContext) {
  const auto context = model().config().text.max_position_embeddings;
  const auto num_prompt = std::ssize(prompt().tokens);
  const std::vector<int32_t> longest(static_cast<size_t>(context - num_prompt), 1);
  EXPECT_NO_THROW(check_lens_length(speaker_, prompt(), longest));
  auto longer = longest;
  longer.push_back(1);
  expect_error([&] { read(prompt(), longer); },
               {concat("the prompt has ", num_prompt, " tokens and the answer ", longer.size(),
                       ", expected together at most the model's "
                       "context of ",
                       context)});
}

TEST_F(LensOfATinyModel, FollowsItsOwnGreedyAnswer) {
  const auto generated = own_answer(5, {processor().end_of_turn()});
  ASSERT_FALSE(generated.tokens.empty());
  for (const bool verbalized : {true, false}) {
    if (!verbalized) speaker_.verbalizers = nullptr;
    const auto reading = read(prompt());
    EXPECT_FALSE(reading.answer_given);
    EXPECT_EQ(reading.answer, generated.tokens);
    EXPECT_EQ(reading.stopped, generated.finish == Finish::kStop);
    const auto& output = reading.layers.back().positions;
    ASSERT_EQ(output.size(), generated.tokens.size() + (generated.finish == Finish::kStop ? 1 : 0));
    for (size_t n = 0; n < generated.tokens.size(); ++n) EXPECT_EQ(output[n].front().token, generated.tokens[n]);
  }
}

TEST_F(LensOfATinyModel, EndsWithTheStopToken) {
  const auto first = own_answer(1, {}).tokens.front();
  speaker_.greedy.stop_tokens = {first};
  const auto reading = read(prompt());
  EXPECT_TRUE(reading.stopped);
  EXPECT_TRUE(reading.answer.empty());
  ASSERT_EQ(reading.layers.back().positions.size(), 1U);
  EXPECT_EQ(reading.layers.back().positions[0].front().token, first);
}

TEST_F(LensOfATinyModel, ReadsVerbalizersByTheHeadThatTheyKnow) {
  at::NoGradGuard no_grad;
  const auto own = read(prompt(), answer("red"));
  speaker_.verbal_head = -model().head();
  const auto reading = read(prompt(), answer("red"));
  EXPECT_NE(reading.layers[0].positions[0][0].token, own.layers[0].positions[0][0].token);
  EXPECT_EQ(reading.layers[2].positions[0][0].token, own.layers[2].positions[0][0].token)
      << "the output has its own head";
}

TEST_F(LensOfATinyModel, SeesNothingInABlankPicture) {
  auto other = conversation_;
  other.turns[0].contents[0].image = fs::path(VLSI_TEST_DATA) / "images/gray_8.png";
  const auto other_prompt = processor().encode_prompt(other);
  ASSERT_EQ(other_prompt.tokens, prompt().tokens) << "pictures of one size";
  const auto a = read(blank_pictures(prompt()), answer("red"));
  const auto b = read(blank_pictures(other_prompt), answer("red"));
  const auto seeing = read(prompt(), answer("red"));
  EXPECT_EQ(a.layers[2].positions[0][0].probability, b.layers[2].positions[0][0].probability);
  EXPECT_NE(a.layers[2].positions[0][0].probability, seeing.layers[2].positions[0][0].probability);
}

TEST_F(LensOfATinyModel, IsWrittenAsJson) {
  const auto& tokenizer = processor().tokenizer();
  const auto reading = read(prompt(), answer("red"));
  const auto json = to_json(reading, std::nullopt, tokenizer);
  EXPECT_EQ(json["lens"], "verbalizers");
  EXPECT_EQ(json["answer"]["text"], "red");
  EXPECT_EQ(json["answer"]["given"], true);
  EXPECT_EQ(json["answer"]["finish_reason"], "stop");
  ASSERT_EQ(json["layers"].size(), 3U);
  EXPECT_EQ(json["layers"][0]["layer"], 1);
  EXPECT_EQ(json["layers"][1]["output"], false);
  EXPECT_EQ(json["layers"][2]["output"], true);
  const auto& best = json["layers"][0]["positions"][0][0];
  EXPECT_EQ(best["token"], reading.layers[0].positions[0][0].token);
  EXPECT_EQ(best["text"], token_text(tokenizer, best["token"].get<int32_t>()));
  EXPECT_EQ(json["layers"][0]["positions"][0].size(), 4U);
  EXPECT_EQ(json["blank"], nullptr);
  const auto blank = to_json(reading, read(blank_pictures(prompt()), answer("red")), tokenizer)["blank"];
  EXPECT_EQ(blank["answer"], json["answer"]);
  EXPECT_NE(blank["layers"], json["layers"]);
}

TEST_F(LensOfATinyModel, ShowsHalfACharacterAsItsBytes) {
  // Byte-level vocabularies have every byte as a token; 0xC3 begins a character and is none.
  for (int32_t id = 0; id < processor().tokenizer().size(); ++id) {
    if (processor().tokenizer().bytes(id) == "\xC3") {
      EXPECT_EQ(token_text(processor().tokenizer(), id), "\\xc3");
      return;
    }
  }
  ADD_FAILURE() << "no token of the byte 0xC3";
}

}  // namespace
}  // namespace vlsi
