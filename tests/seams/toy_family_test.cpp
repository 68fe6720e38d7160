// A family that the sources do not know goes through everything: it is initialised, planned, distilled, saved, loaded,
// asked.
#include <gtest/gtest.h>

#include <ATen/core/grad_mode.h>

#include "base/json.h"
#include "checkpoint/initialize.h"
#include "checkpoint/load.h"
#include "checkpoint/picture_features.h"
#include "checkpoint/save.h"
#include "data/batch.h"
#include "data/dataset.h"
#include "generate/engine.h"
#include "model/parts.h"
#include "plan/plan.h"
#include "run/distill.h"
#include "tests/seams/toy_family.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

const fs::path kTiny = fs::path(VLSI_TEST_DATA) / "tiny";

class ToyFamily : public testing::Test {
 protected:
  static void SetUpTestSuite() { toy::add_family(); }

  void make_model(const std::string& name, int64_t num_layers, int64_t width, uint64_t seed) const {
    const auto config = parse_model_config({{"model_type", "toy"},
                                            {"vocab_size", 320},
                                            {"hidden_size", width},
                                            {"num_hidden_layers", num_layers},
                                            {"bos_token_id", 312},
                                            {"eos_token_id", 314},
                                            {"image_token_id", 318}},
                                           name);
    write_model(path(name), config, random_weights(config, Initializer::kFanIn, seed, at::kFloat), kTiny / "tokenizer");
  }
  void SetUp() override {
    make_model("student", 3, 32, 1);
    make_model("teacher", 4, 40, 2);
  }

  RunConfig run_config() const {
    write_text(path("run.yaml"),
               concat("out: ", path("run").string(), "\nteacher: {model: ", path("teacher").string(),
                      ", layers: [1, 2, 3]}\nstudent: {model: ", path("student").string(),
                      ", layers: [1, 2], lora: {rank: 4, alpha: 8}}\n"
                      "dtype: float32\n"
                      "data: {train: [{path: ",
                      (kTiny / "train.json").string(),
                      "}], batch_tokens: 256}\n"
                      "optimizer: {accumulate: 1}\nverbalize: {iterations: 3}\ninteract: {iterations: 3}\n"
                      "finetune: {iterations: 3, train: [lora, projector]}\n"));
    const auto config = load_run_config(path("run.yaml"), {});
    check(config, "run.yaml");
    return config;
  }
  fs::path path(const std::string& name) const { return folder_.path() / name; }

  const Folder folder_;
};

TEST_F(ToyFamily, IsStoredUnderItsOwnNames) {
  const auto checkpoint = Checkpoint::open(path("student"));
  const auto names = checkpoint.names();
  for (const char* name : {"eyes.map.weight", "bridge.end", "words.weight", "blocks.2.self_attn.q_norm.weight",
                           "end_norm.weight", "out.weight"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
  EXPECT_EQ(checkpoint.info("blocks.0.self_attn.q_proj.weight").shape, (std::vector<int64_t>{48, 32}));
  EXPECT_EQ(std::find(names.begin(), names.end(), "blocks.0.self_attn.q_proj.bias"), names.end());
}

TEST_F(ToyFamily, GoesThroughTheThreeSteps) {
  const auto config = run_config();
  EXPECT_GT(make_plan(config, {}).peak_bytes(), 0);
  ASSERT_EQ(distill(config, {}), Outcome::kFinished);
  std::map<std::string, int> lines;
  std::istringstream metrics(content_of(path("run/metrics.jsonl")));
  for (std::string line; std::getline(metrics, line);) ++lines[Json::parse(line).at("step")];
  EXPECT_EQ(lines, (std::map<std::string, int>{
                       {"finetune", 3}, {"interact", 3}, {"verbalize-student", 3}, {"verbalize-teacher", 3}}));

  const auto before = load_vlm(path("student"), at::kFloat), after = load_vlm(path("run/model"), at::kFloat);
  const auto old = before->named_parameters(), now = after->named_parameters();
  ASSERT_EQ(old.size(), now.size());
  for (size_t i = 0; i < old.size(); ++i) {
    const auto& name = old[i].first;
    const bool learns = part_of(name) == "projector" || name.find("_proj.weight") != std::string::npos;
    EXPECT_EQ(at::equal(old[i].second, now[i].second), !learns) << name;
  }
}

TEST_F(ToyFamily, AnswersTheSameWithACacheAsWithout) {
  const auto model = load_vlm(path("student"), at::kFloat);
  const auto processor = load_processor(path("student"));
  const RecordFile file(kTiny / "train.json", {});
  KeptPictureFeatures pictures;
  for (const int64_t record : {0, 1}) {
    auto sample = processor->encode_prompt(file.read(record));
    ASSERT_EQ(sample.images.size(), 1U);
    Engine engine(*model, processor->tokenizer(), &pictures);
    Decoding decoding;
    decoding.max_new_tokens = 4;
    const auto found = generate(engine, sample, decoding).tokens;
    ASSERT_EQ(found.size(), 4U);
    for (const int32_t token : found) {
      const auto rows = model->forward(pack({sample}), {}).final_rows;
      EXPECT_EQ(at::linear(rows, model->head()).argmax(-1).item<int64_t>(), token);
      sample.tokens.push_back(token);
      sample.positions[0].push_back(sample.next_position++);
      sample.answer_positions = {static_cast<int32_t>(sample.tokens.size()) - 1};
    }
  }
}

TEST_F(ToyFamily, ReadsTheFurtherRowsOfItsProjector) {
  const auto model = load_vlm(path("student"), at::kFloat);
  const auto processor = load_processor(path("student"));
  const auto batch = pack({processor->encode(RecordFile(kTiny / "train.json", {}).read(0))});
  at::NoGradGuard no_grad;
  const auto hidden = model->forward(batch, {{1}, /*final_rows=*/false, /*all_tokens=*/true}).layers[0];
  const auto rows = model->projector().project(model->tower().encode(batch.patches, batch.pictures), batch.pictures);

  auto without = model->config();
  without.text.rows_added_after = {};
  class OneSetOfRows : public toy::MeanProjector {
   public:
    using toy::MeanProjector::MeanProjector;
    PictureRows project(const at::Tensor& features, std::span<const PictureShape> pictures) const override {
      return {toy::MeanProjector::project(features, pictures).rows, {}};
    }
  };
  const Vlm plain(without, std::make_shared<toy::Tower>(), std::make_shared<OneSetOfRows>(32));
  auto parameters = plain.named_parameters();
  const auto values = model->named_parameters();
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].second.set_data(values[i].second);
  const auto expected =
      plain.forward(batch, {{1}, false, true}).layers[0].index_add(0, batch.image_token_positions, rows.added[0]);
  EXPECT_TRUE(at::equal(hidden, expected));
}

}  // namespace
}  // namespace vlsi
