// Models for llama.cpp: both files, whole or not there, adapters merged, tokenizers that it has.
#include "checkpoint/save_gguf.h"

#include "base/atomic_file.h"
#include "base/json.h"
#include "checkpoint/gguf_tokenizer.h"
#include "checkpoint/save.h"
#include "model/linear.h"
#include "tests/checkpoint/model_directory.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/initialize_vlm.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

fs::path tiny_tokenizer() { return fs::path(VLSI_TEST_DATA) / "tiny/tokenizer"; }

ModelConfig tiny_config() {
  return parse_model_config(read_json(fs::path(VLSI_TEST_DATA) / "tiny/student.json"), "student.json");
}

/// The value of a key; fails the test where there is none.
template <class Value>
Value value_of(const std::vector<GgufEntry>& entries, const std::string& key) {
  for (const auto& entry : entries) {
    if (entry.key == key) return std::get<Value>(entry.value);
  }
  ADD_FAILURE() << "no " << key;
  return {};
}

class SaveGguf : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  static std::shared_ptr<Vlm> random_model() { return initialize_vlm(tiny_config(), Initializer::kFanIn, 1); }
  void save(const std::string& name, const Vlm& model, const std::string& type = "q8_0") const {
    save_gguf(path(name), model, {&tensor_type(type), &tensor_type(type)}, tiny_tokenizer());
  }
  /// A copy of the tokenizer's directory with changes to tokenizer.json.
  fs::path tokenizer_with(const std::function<void(Json&)>& change) const {
    fs::remove_all(path("tokenizer"));
    fs::copy(tiny_tokenizer(), path("tokenizer"));
    auto json = read_json(tiny_tokenizer() / "tokenizer.json");
    change(json);
    write_file(path("tokenizer") / "tokenizer.json", json.dump());
    return path("tokenizer");
  }
  Folder folder_;
};

TEST_F(SaveGguf, MergesAdaptersAsADirectoryHasThem) {
  const auto model = random_model();
  save("plain", *model);
  model->add_lora(4, 8, {"q_proj", "down_proj"}, 1, "test");
  at::NoGradGuard no_grad;
  for (const auto& [name, parameter] : model->named_parameters()) {
    if (name.ends_with("lora_B")) parameter.fill_(0.5);
  }
  save("adapted", *model);
  save_vlm(path("merged"), *model, at::kFloat, tiny_tokenizer());
  save("of_merged", *load_vlm(path("merged"), at::kFloat));
  for (const char* file : {"model.gguf", "mmproj.gguf"}) {
    EXPECT_TRUE(content_of(path("adapted") / file) == content_of(path("of_merged") / file)) << file;
  }
  EXPECT_FALSE(content_of(path("adapted/model.gguf")) == content_of(path("plain/model.gguf")));
}

TEST_F(SaveGguf, AppearsWholeOrNotAtAll) {
  const auto model = random_model();
  const FileSizeLimit limit(20'000);
  expect_error([&] { save("model", *model, "f32"); }, {"model.gguf", "File too large"});
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(SaveGguf, KeepsTheHeadOfQ4InEightBits) {
  const auto model = random_model();
  save("model", *model, "q4_0");
  const auto text = content_of(path("model/model.gguf"));
  // Behind a tensor's name: the number of its dimensions, its width and number of rows, its type.
  const auto type_of = [&](const std::string& name) {
    const auto found = text.find(name);
    return found == text.npos ? -1 : static_cast<int>(text[found + name.size() + 4 + 2 * 8]);
  };
  EXPECT_EQ(type_of("token_embd.weight"), 8) << "the tied head";
  EXPECT_EQ(type_of("blk.1.attn_output.weight"), 2);
  const auto picture = content_of(path("model/mmproj.gguf"));
  const std::string narrow = "v.blk.0.attn_out.weight";
  EXPECT_EQ(picture[picture.find(narrow) + narrow.size() + 20], 1) << "16 columns are no whole block";
}

TEST_F(SaveGguf, RefusesAWeightThatIsNoNumber) {
  const auto model = random_model();
  at::NoGradGuard no_grad;
  model->final_norm().fill_(NAN);
  expect_error([&] { save("model", *model); }, {path("model").string(), "norm.weight"});
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(SaveGguf, GivesEveryRowOfTheEmbeddingAToken) {
  auto config = tiny_config();
  config.text.vocab_size = 323;
  const auto entries = gguf_tokenizer_entries(tiny_tokenizer(), config);
  const auto tokens = value_of<std::vector<std::string>>(entries, "tokenizer.ggml.tokens");
  const auto kinds = value_of<std::vector<int32_t>>(entries, "tokenizer.ggml.token_type");
  ASSERT_EQ(tokens.size(), 323U);
  ASSERT_EQ(kinds.size(), 323U);
  const auto vocabulary = read_json(tiny_tokenizer() / "tokenizer.json").at("model").at("vocab");
  for (const auto& [token, id] : vocabulary.items()) {
    EXPECT_EQ(tokens[id.get<size_t>()], token);
    EXPECT_EQ(kinds[id.get<size_t>()], 1) << token;
  }
  EXPECT_EQ(tokens[314], "<|im_end|>");
  EXPECT_EQ(kinds[314], 3);
  EXPECT_EQ(tokens[322], "[PAD322]");
  EXPECT_EQ(kinds[322], 5);
  EXPECT_EQ(value_of<std::string>(entries, "tokenizer.ggml.pre"), "qwen2");
  EXPECT_EQ(value_of<uint32_t>(entries, "tokenizer.ggml.eos_token_id"), 314U);
  const auto merges = read_json(tiny_tokenizer() / "tokenizer.json").at("model").at("merges");
  const auto written = value_of<std::vector<std::string>>(entries, "tokenizer.ggml.merges");
  ASSERT_EQ(written.size(), merges.size());
  const auto& first = merges[0];
  EXPECT_EQ(written[0], first.is_string() ? first.get<std::string>()
                                          : first[0].get<std::string>() + " " + first[1].get<std::string>());
}

TEST_F(SaveGguf, RefusesTokenizersThatLlamaCppHasNot) {
  const auto refused = [&](const std::function<void(Json&)>& change, const std::vector<std::string>& parts) {
    const auto directory = tokenizer_with(change);
    expect_error([&] { gguf_tokenizer_entries(directory, tiny_config()); }, parts);
  };
  refused([](Json& json) { json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\p{L}+|\\s"; },
          {"tokenizer.json", "pattern", "llama.cpp"});
  refused([](Json& json) { json["model"]["ignore_merges"] = true; }, {"ignore_merges"});
  refused(
      [](Json& json) {
        json["added_tokens"].push_back({{"id", 320}, {"content", "<x>"}, {"normalized", false}});
      },
      {"<x>", "320", "320 rows"});
}

}  // namespace
}  // namespace vlsi
