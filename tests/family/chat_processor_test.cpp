// Conversations through chat templates: what is written, what is learnt, and what is refused.
#include "family/chat_processor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/json.h"
#include "data/sample_pair.h"
#include "family/family.h"
#include "picture/codecs.h"
#include "tests/picture/test_pictures.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi::chat_processor_test {
namespace {

namespace fs = std::filesystem;

/// A directory with the small model's tokenizer, and a chat template of its own.
std::unique_ptr<Folder> model_folder(const std::optional<std::string>& chat_template) {
  const auto tiny = fs::path(VLSI_TEST_DATA) / "tiny";
  auto folder = std::make_unique<Folder>();
  fs::copy(tiny / "student.json", folder->path() / "config.json");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"}) {
    fs::copy(tiny / "tokenizer" / name, folder->path() / name);
  }
  if (chat_template) folder->write("chat_template.jinja", *chat_template);
  return folder;
}

std::unique_ptr<Processor> processor_with(const std::optional<std::string>& chat_template,
                                          SpecialText special_text = SpecialText::kControl) {
  return load_processor(model_folder(chat_template)->path(), special_text);
}

Content text(std::string value) { return {Content::Kind::kText, std::move(value), {}}; }
Content picture() { return {Content::Kind::kImage, {}, picture_folder() / "gray.jpg"}; }

Conversation rounds(const std::string& first = "b", const std::string& second = "d") {
  return {"c1",
          "",
          {{Role::kUser, {text("a")}},
           {Role::kAssistant, {text(first)}},
           {Role::kUser, {text("c")}},
           {Role::kAssistant, {text(second)}}}};
}

/// The tokens' texts, each label in brackets, a picture's tokens once.
std::string shown(const Processor& processor, const Sample& sample) {
  std::string result;
  const int32_t picture_token = processor.tokenizer().require("<|image_pad|>");
  for (size_t i = 0; i < sample.tokens.size(); ++i) {
    if (i > 0 && sample.tokens[i] == picture_token && sample.tokens[i - 1] == picture_token) continue;
    const auto& learnt = sample.answer_positions;
    const bool is_label = std::find(learnt.begin(), learnt.end(), static_cast<int32_t>(i) - 1) != learnt.end();
    const auto bytes = processor.tokenizer().bytes(sample.tokens[i]);
    result += is_label ? "[" + bytes + "]" : bytes;
  }
  return result;
}

std::string encoded(const Processor& processor, const Conversation& conversation) {
  return shown(processor, processor.encode(conversation));
}

// A turn's role stands before a blank, and pictures are put in front of the text.
constexpr const char* kOwn =
    "{% for m in messages %}<|im_start|>{{ m.role }} {% for p in m.content %}{% if p.type == 'image' %}<|image_pad|>"
    "{% endif %}{% endfor %}{% for p in m.content %}{% if p.type == 'text' %}{{ '\n' + p.text | trim }}{% endif %}"
    "{% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

TEST(ChatProcessor, FollowsTheTemplateOfItsDirectory) {
  const auto processor = processor_with(kOwn);
  EXPECT_EQ(encoded(*processor, rounds()),
            "<|im_start|>user \na<|im_end|><|im_start|>assistant \n[b][<|im_end|>]"
            "<|im_start|>user \nc<|im_end|><|im_start|>assistant \n[d][<|im_end|>]");
  EXPECT_EQ(shown(*processor, processor->encode_prompt(rounds())),
            "<|im_start|>user \na<|im_end|><|im_start|>assistant \nb<|im_end|>"
            "<|im_start|>user \nc<|im_end|><|im_start|>assistant\n");
}

TEST(ChatProcessor, PutsPicturesWhereTheTemplateShowsThem) {
  const auto processor = processor_with(kOwn);
  const Conversation conversation{
      "c2", "", {{Role::kUser, {text("a"), picture(), text("b")}}, {Role::kAssistant, {text("d")}}}};
  const auto sample = processor->encode(conversation);
  EXPECT_EQ(shown(*processor, sample),
            "<|im_start|>user <|image_pad|>\na\nb<|im_end|><|im_start|>assistant \n[d][<|im_end|>]");
  ASSERT_EQ(sample.images.size(), 1);
  EXPECT_EQ(std::ssize(sample.image_token_positions), sample.images[0].shape.num_rows);
}

TEST(ChatProcessor, RefusesToFillTheOutlineOfOtherPictures) {
  const auto processor = processor_with(kOwn);
  const Folder folder;
  const auto conversation = [&](const std::vector<Content>& contents) {
    return Conversation{"c3", "", {{Role::kUser, contents}, {Role::kAssistant, {text("d")}}}};
  };
  fs::copy(picture_folder() / "gray.jpg", folder / "it.jpg");
  const Content it{Content::Kind::kImage, {}, folder / "it.jpg"};
  const auto first = conversation({it});
  auto outline = processor->outline(first);
  write_text(folder / "it.jpg", encode_jpeg({64, 64, std::vector<uint8_t>(64 * 64 * 3)}));
  expect_error([&] { processor->fill(first, outline); },
               {"conversation 'c3': the picture ", "it.jpg has another size"});
  expect_error([&] { processor->fill(conversation({text("a")}), outline); }, {"'c3': its pictures are others"});
}

TEST(ChatProcessor, MeasuresPicturesBeforeItDecodesThem) {
  const auto processor = processor_with(kOwn);
  const auto file = content_of(fs::path(VLSI_TEST_DATA) / "images/rgb_8.png");
  PictureLimits limits;
  limits.min_pixels = limits.max_pixels = int64_t{1} << 28;
  Content broken{Content::Kind::kImage, {}, "broken", file.substr(0, file.size() / 2), limits};
  const auto shows = [&](const std::vector<Content>& contents) {
    return Conversation{"c4", "", {{Role::kUser, contents}, {Role::kAssistant, {text("d")}}}};
  };
  // Patches of so many pixels take gigabytes; none are made, for the pixels cannot be read.
  const SampleMaker maker(*processor);
  expect_error([&] { maker.encode(shows({broken}), 4096, 4096); }, {"sample has 1", "more than sample_tokens 4096"});
  for (const auto read : {&Processor::outline, &Processor::outline_prompt}) {
    expect_error(
        [&] {
          (*processor.*read)(shows({broken, broken, broken, broken, broken}));
        },
        {"conversation 'c4': its pictures up to broken have ", concat("expected at most ", kMostPictureTokens)});
  }
  broken.limits = {};
  expect_error([&] { maker.encode(shows({broken}), 4096, 4096); },
               {"cannot read PNG picture broken: the file ends too early"});
}

TEST(ChatProcessor, FillsTheOutlineOfAPromptBeforeOtherPictures) {
  const auto processor = processor_with(kOwn);
  const Conversation conversation{
      "c5", "", {{Role::kUser, {text("a"), picture()}}, {Role::kAssistant, {text("b"), picture()}}}};
  auto outline = processor->outline_prompt(conversation);
  ASSERT_EQ(outline.images.size(), 1);
  EXPECT_FALSE(outline.images[0].rows.defined());
  processor->fill(conversation, outline);
  EXPECT_EQ(fingerprint_of(outline), fingerprint_of(processor->encode_prompt(conversation)));
}

TEST(ChatProcessor, LearnsNothingThatTheTemplateWrites) {
  // It trims the answer, and puts a heading in front of it and a remark behind.
  const auto processor = processor_with(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}Answer: {% endif %}"
      "{{ m.content | trim }}{% if m.role == 'assistant' %} (end){% endif %}<|im_end|>\n{% endfor %}");
  EXPECT_EQ(encoded(*processor, rounds(" b\n")).substr(0, 77),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nAnswer: [b] (end)[<|im_end");
}

TEST(ChatProcessor, LearnsWhatTheTemplateMarksAsGenerated) {
  const std::string generated =
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}"
      "{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{{ '\n' }}{% else %}{{ m.content }}<|im_end|>{{ "
      "'\n' }}"
      "{% endif %}{% endfor %}";
  EXPECT_EQ(encoded(*processor_with(generated), rounds()),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
            "<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n[d][<|im_end|>]\n");
}

TEST(ChatProcessor, WeighsTurns) {
  const auto processor = processor_with(std::nullopt);
  auto conversation = rounds();
  EXPECT_TRUE(processor->encode(conversation).label_weights.empty());
  conversation.turns[1].weight = 0;
  EXPECT_EQ(processor->encode(conversation).labels.size(), 2);
  EXPECT_TRUE(processor->encode(conversation).label_weights.empty());
  conversation.turns[1].weight = 0.5;
  EXPECT_EQ(processor->encode(conversation).label_weights, (std::vector<float>{0.5, 0.5, 1, 1}));
}

TEST(ChatProcessor, LearnsTheEndOfAnEmptyAnswer) {
  const auto processor = processor_with(std::nullopt);
  EXPECT_EQ(encoded(*processor, {"c3",
                                 "",
                                 {{Role::kUser, {text("a")}},
                                  {Role::kAssistant, {}},
                                  {Role::kUser, {picture()}},
                                  {Role::kAssistant, {text("b")}}}}),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
            "<|im_start|>assistant\n[<|im_end|>]\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>"
            "<|im_end|>\n<|im_start|>assistant\n[b][<|im_end|>]\n");
}

TEST(ChatProcessor, KeepsSpecialTextOfTurnsPlainWhereItIsAskedTo) {
  const auto conversation = rounds("b", "<|im_end|>");
  const auto control = processor_with(std::nullopt)->encode(conversation),
             plain = processor_with(std::nullopt, SpecialText::kPlain)->encode(conversation);
  // "b", the end, the end as it was written, the end.
  EXPECT_EQ(control.labels.size(), 4);
  const auto ends = [](const Sample& sample) { return std::count(sample.tokens.begin(), sample.tokens.end(), 314); };
  EXPECT_EQ(ends(control), ends(plain) + 1);
  EXPECT_GT(plain.labels.size(), control.labels.size());
  EXPECT_EQ(plain.labels.back(), 314);
}

Json added_token(int32_t id, const char* content, bool special, bool normalized) {
  return {{"id", id},        {"content", content}, {"special", special},  {"normalized", normalized},
          {"lstrip", false}, {"rstrip", false},    {"single_word", false}};
}

/// A processor whose tokenizer.json was changed, and its prompt's tokens of one question.
std::vector<int32_t> prompt_of(const std::string& question, SpecialText special_text,
                               const std::function<void(Json&)>& change,
                               const std::optional<std::string>& chat_template = std::nullopt) {
  const auto folder = model_folder(chat_template);
  auto config = read_json(*folder / "config.json"), tokenizer = read_json(*folder / "tokenizer.json");
  config["vocab_size"] = 330;
  change(tokenizer["added_tokens"]);
  folder->write("config.json", config.dump());
  folder->write("tokenizer.json", tokenizer.dump());
  const auto processor = load_processor(folder->path(), special_text);
  return processor->encode_prompt({"c6", "", {{Role::kUser, {text(question)}}}}).tokens;
}

std::ptrdiff_t count_of(int32_t token, const std::vector<int32_t>& tokens) {
  return std::count(tokens.begin(), tokens.end(), token);
}

TEST(ChatProcessor, FindsTokensThatAreNotSpecialInPlainTurnsToo) {
  const auto add = [](Json& tokens) {
    tokens.push_back(added_token(320, "<think>", false, false));
    tokens.push_back(added_token(321, "<loc1>", false, true));
  };
  const std::string own = "a<think>b<loc1>c";
  const auto plain = prompt_of(own, SpecialText::kPlain, add);
  EXPECT_EQ(plain, prompt_of(own, SpecialText::kControl, add));
  EXPECT_EQ(count_of(320, plain), 1);
  EXPECT_EQ(count_of(321, plain), 1);
  // What is special stays text beside them.
  const auto mixed = prompt_of("<|im_end|><think><|image_pad|><loc1><|im_start|>", SpecialText::kPlain, add);
  for (const int32_t token : {320, 321}) EXPECT_EQ(count_of(token, mixed), 1) << token;
  for (const int32_t token : {313, 314, 318}) EXPECT_EQ(count_of(token, mixed), count_of(token, plain)) << token;
  // A template may write them.
  const auto written = prompt_of("a", SpecialText::kPlain, add, std::string(kOwn) + "<think>\n<loc1>");
  EXPECT_EQ(count_of(320, written), 1);
  EXPECT_EQ(written.back(), 321);
}

TEST(ChatProcessor, FindsWhatATemplateWritesAlsoWhereItIsOfTheNormalForm) {
  const auto normalize = [](Json& tokens) {
    for (auto& token : tokens) token["normalized"] = true;
  };
  const auto usual = prompt_of("a<|im_end|>", SpecialText::kPlain, [](Json&) {});
  EXPECT_EQ(prompt_of("a<|im_end|>", SpecialText::kPlain, normalize), usual);
}

TEST(ChatProcessor, KeepsPlaceholdersAndEndsOfTurnsPlainWhateverTheTokenizerCallsThem) {
  const auto change = [](Json& tokens) {
    for (auto& token : tokens) token["special"] = false;
  };
  const std::string question = "a<|im_end|><|im_start|>b<|image_pad|><|video_pad|>";
  EXPECT_EQ(prompt_of(question, SpecialText::kPlain, change), prompt_of(question, SpecialText::kPlain, [](Json&) {}));
}

TEST(ChatProcessor, HandsPartsOfTextOverAsTheyCame) {
  const auto processor = processor_with(kOwn);
  const auto shown_of = [&](const std::vector<Content>& question, const std::vector<Content>& answer) {
    return encoded(*processor, {"c7", "", {{Role::kUser, question}, {Role::kAssistant, answer}}});
  };
  EXPECT_EQ(shown_of({text("a"), text(""), picture(), text("b"), text("c")}, {text("d"), text("e")}),
            "<|im_start|>user <|image_pad|>\na\n\nb\nc<|im_end|><|im_start|>assistant \n[d]\n[e][<|im_end|>]");
  EXPECT_EQ(shown_of({text("")}, {text("")}), "<|im_start|>user \n<|im_end|><|im_start|>assistant \n[<|im_end|>]");
  EXPECT_EQ(shown_of({}, {text("d")}), "<|im_start|>user <|im_end|><|im_start|>assistant \n[d][<|im_end|>]");
  // A template that wants one text gets it.
  const auto of_texts = processor_with("{% for m in messages %}{{ m.role + ':' + m.content }}<|im_end|>{% endfor %}");
  EXPECT_EQ(encoded(*of_texts, {"c8", "", {{Role::kUser, {text("a"), text(""), text("b")}}, {Role::kAssistant, {}}}}),
            "user:ab<|im_end|>assistant:[<|im_end|>]");
}

TEST(ChatProcessor, LearnsTextWhoseNormalFormHasOtherBytes) {
  // A decomposed letter in the answer and one in the question: both become shorter.
  const auto processor = processor_with(std::nullopt);
  const auto composed = encoded(*processor, rounds("\u00e9x")), decomposed = encoded(*processor, rounds("e\u0301x"));
  EXPECT_EQ(composed, decomposed);
}

TEST(ChatProcessor, NamesWhatItsTemplateCannotShow) {
  expect_error([] { processor_with("{% for m in messages %}{{ m.content }}{% endfo %}"); },
               {"chat_template.jinja:1:", "endfo"});
  const auto blind = processor_with("{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}");
  const Conversation shows{"c4", "", {{Role::kUser, {picture(), text("a")}}, {Role::kAssistant, {text("b")}}}};
  expect_error([&] { blind->encode(shows); }, {"conversation 'c4'", "shows 0 of 1 pictures"});
  const auto double_eyed = processor_with(std::string(kOwn) + "<|image_pad|>");
  expect_error([&] { double_eyed->encode(shows); }, {"conversation 'c4'", "more often than the conversation has"});
  const auto refusing = processor_with("{{ raise_exception('no rounds here') }}");
  expect_error([&] { refusing->encode(rounds()); }, {"no rounds here"});
}

TEST(ChatProcessor, HasAFingerprintOfWhatItsTemplateWrites) {
  const auto built_in = processor_with(std::nullopt)->fingerprint();
  EXPECT_NE(processor_with(kOwn)->fingerprint().chat_template, built_in.chat_template);
  // Another way to write the same.
  const auto same = processor_with(
      "{% for m in messages %}{% if loop.index0 == 0 and m['role'] != 'system' %}<|im_start|>system\nYou are a helpful "
      "assistant.<|im_end|>\n{% endif %}<|im_start|>{{ m['role'] }}\n{% for p in m['content'] %}{% if p['type'] == "
      "'text' %}{{ p['text'] }}{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}"
      "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
  EXPECT_EQ(same->fingerprint().chat_template, built_in.chat_template);
  EXPECT_NE(processor_with(std::nullopt, SpecialText::kPlain)->fingerprint().chat_template, built_in.chat_template);
}

TEST(ChatProcessor, HasAFingerprintThatKnowsPartsOfTextFromOne) {
  const auto joined_by = [](const std::string& between) {
    return processor_with(
               "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for p in m.content %}"
               "{% if p.type == 'text' %}{% if loop.previtem and loop.previtem.type == 'text' %}" +
               between +
               "{% endif %}{{ p.text }}{% else %}<|image_pad|>{% endif %}{% endfor %}<|im_end|>\n"
               "{% endfor %}")
        ->fingerprint()
        .chat_template;
  };
  EXPECT_NE(joined_by("+"), joined_by(""));
}

TEST(ChatProcessor, HasAFingerprintOfTheTokensThatTokenizerConfigAdds) {
  const auto fingerprint_with = [](const std::optional<std::string>& content) {
    const auto folder = model_folder(std::nullopt);
    auto config = read_json(*folder / "config.json"), tokens = read_json(*folder / "tokenizer_config.json");
    config["vocab_size"] = 330;
    if (content) tokens["added_tokens_decoder"]["320"] = {{"content", *content}, {"normalized", false}};
    folder->write("config.json", config.dump());
    folder->write("tokenizer_config.json", tokens.dump());
    const auto processor = load_processor(folder->path());
    const Conversation asks{"c9", "", {{Role::kUser, {text("a<loc9>b")}}}};
    EXPECT_EQ(count_of(320, processor->encode_prompt(asks).tokens), content == "<loc9>");
    return processor->fingerprint().tokenizer;
  };
  const auto without = fingerprint_with(std::nullopt);
  EXPECT_EQ(without, processor_with(std::nullopt)->fingerprint().tokenizer);
  EXPECT_NE(fingerprint_with("<loc9>"), without);
  EXPECT_NE(fingerprint_with("<loc9>"), fingerprint_with("<loc8>"));
}

}  // namespace
}  // namespace vlsi::chat_processor_test
