// Conversations as LLaVA-OneVision reads them. Expected values: tests/oracle/make_processor_fixture.py.
#include "data/processor.h"

#include "family/family.h"
#include "family/llava_onevision/views.h"
#include "tests/family/conversations.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

const Json kConfig{{"model_type", "llava_onevision"}, {"text_config", {{"vocab_size", 152000}}}};
const Json kSettings{
    {"size", {{"height", 384}, {"width", 384}}}, {"image_mean", {0.5, 0.5, 0.5}}, {"image_std", {0.5, 0.5, 0.5}}};

/// The processor of a directory with these files and the real tokenizer of `tokenizer`.
std::unique_ptr<Processor> processor_of(std::map<std::string, std::string> files,
                                        const std::string& tokenizer = "llava_onevision") {
  const Folder folder(files);
  fs::create_symlink(tokenizer_file(tokenizer), folder.path() / "tokenizer.json");
  return load_processor(folder.path());
}

const Processor& usual_processor() {
  static const auto processor =
      processor_of({{"config.json", kConfig.dump()}, {"preprocessor_config.json", kSettings.dump()}});
  return *processor;
}

TEST(LlavaOnevisionProcessor, EncodesConversationsAsTheReferenceDoes) {
  for (const Json& expected : read_json(fs::path(VLSI_TEST_DATA) / "llava_onevision/conversations.json")) {
    SCOPED_TRACE(expected["name"].get<std::string>());
    const auto conversation = read_conversation(expected["turns"]);
    const auto sample = usual_processor().encode(conversation);
    expect_sample(sample, expected);
    EXPECT_EQ(sample.positions.size(), 1U);
    expect_picture_positions(sample, 151646);
    std::vector<int64_t> rows;
    for (const auto& image : sample.images) {
      rows.push_back(image.shape.num_rows);
      EXPECT_EQ(image.rows.size(0), image.shape.num_patches);
    }
    EXPECT_EQ(rows, expected["rows"].get<std::vector<int64_t>>());
    expect_outline(usual_processor(), conversation, sample);
    expect_prompt(usual_processor().encode_prompt(conversation), expected);
  }
}

TEST(LlavaOnevisionProcessor, RendersByTheTemplateOfTheDirectoryWhereItHasOne) {
  // The one that other copies of the hub's directories have.
  const std::string other =
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + ' '}}"
      "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
      "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ '\\n' + content['text'] }}"
      "{% endfor %}{{'<|im_end|>'}}{% endfor %}"
      "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
  const auto processor = processor_of({{"config.json", kConfig.dump()},
                                       {"preprocessor_config.json", kSettings.dump()},
                                       {"chat_template.json", Json{{"chat_template", other}}.dump()}});
  const Conversation conversation{
      "c1",
      "",
      {{Role::kUser, {text("What?"), picture(picture_folder() / "rgb_8.png")}}, {Role::kAssistant, {text("A")}}}};
  const auto sample = processor->encode(conversation);
  auto rendered = processor->tokenizer().decode(sample.tokens, /*skip_special=*/false);
  std::string rows;
  for (size_t i = 0; i < sample.image_token_positions.size(); ++i) rows += "<image>";
  ASSERT_NE(rendered.find(rows), std::string::npos);
  rendered.replace(rendered.find(rows), rows.size(), "<rows>");
  EXPECT_EQ(rendered, "<|im_start|>user <rows>\nWhat?<|im_end|><|im_start|>assistant \nA<|im_end|>");
  EXPECT_EQ(sample.labels.back(), 151645);
  EXPECT_EQ(processor->tokenizer().decode(sample.labels), "A");
}

TEST(LlavaOnevisionProcessor, ReadsADirectoryOfTheModelsAuthorsWhoseTokenizerKnowsNoPictures) {
  const Json config{{"model_type", "llava_qwen"},
                    {"hidden_size", 896},
                    {"num_attention_heads", 14},
                    {"num_key_value_heads", 2},
                    {"mm_vision_tower", "google/siglip-so400m-patch14-384"}};
  auto json = read_json(tokenizer_file("llava_onevision"));
  json["added_tokens"].erase(json["added_tokens"].begin() + 3, json["added_tokens"].end());
  const Json of_texts{{"chat_template", "{% for m in messages %}{{ m.role + m.content }}{% endfor %}"}};
  const std::map<std::string, std::string> files{
      {"config.json", config.dump()}, {"tokenizer.json", json.dump()}, {"tokenizer_config.json", of_texts.dump()}};
  const Folder folder(files);
  const auto processor = load_processor(folder.path());
  const auto path = picture_folder() / "rgb_8.png";
  const Conversation conversation{
      "c1", "", {{Role::kUser, {text("What?"), picture(path), text("Why?")}}, {Role::kAssistant, {text("A")}}}};
  const auto sample = processor->encode(conversation), usual = usual_processor().encode(conversation);
  ASSERT_EQ(sample.images.size(), 1U);
  EXPECT_EQ(fingerprint_of(sample.images[0]), fingerprint_of(usual.images[0]));
  auto rendered = processor->tokenizer().decode(sample.tokens, /*skip_special=*/false);
  std::string rows;
  for (size_t i = 0; i < sample.image_token_positions.size(); ++i) rows += "<image>";
  ASSERT_NE(rendered.find(rows), std::string::npos);
  rendered.replace(rendered.find(rows), rows.size(), "<rows>");
  EXPECT_EQ(
      rendered,
      "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nWhat?<rows>\nWhy?<|im_end|>\n"
      "<|im_start|>assistant\nA<|im_end|>\n");
  EXPECT_EQ(sample.tokens[sample.image_token_positions[0]], 151646);
  EXPECT_EQ(sample.labels, usual.labels);
}

TEST(LlavaOnevisionProcessor, RefusesPlaceholdersWithoutAPicture) {
  for (const std::string placeholder : {"<image>", "<video>"}) {
    const Conversation conversation{"c7", "", {{Role::kUser, {text("What is " + placeholder + "?")}}}};
    expect_error([&] { usual_processor().encode_prompt(conversation); }, {"conversation 'c7': found " + placeholder});
  }
}

TEST(LlavaOnevisionProcessor, HasAFingerprintThatNamesItsPreProcessing) {
  const auto settings = usual_processor().fingerprint().pre_processing;
  EXPECT_TRUE(
      settings.starts_with("llava_onevision, views of 384 pixels, patch 14, at most the patches of 9, grids 1x1 1x2"))
      << settings;
  EXPECT_TRUE(settings.ends_with("6x5 6x6, mean 0.5 0.5 0.5, std 0.5 0.5 0.5")) << settings;
}

}  // namespace
}  // namespace vlsi
