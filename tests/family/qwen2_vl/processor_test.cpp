// Expected values: tests/oracle/make_picture_fixture.py and tests/oracle/make_processor_fixture.py.
#include "data/processor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <map>

#include "base/json.h"
#include "family/family.h"
#include "family/qwen_pictures.h"
#include "tests/family/conversations.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

Json expected_values(const std::string& name) { return read_json(fs::path(VLSI_TEST_DATA) / "processor" / name); }

QwenImageConfig image_config(const Json& options) {
  QwenImageConfig config;
  config.patch_size = options.value("patch_size", config.patch_size);
  config.merge_size = options.value("merge_size", config.merge_size);
  config.temporal_patch_size = options.value("temporal_patch_size", config.temporal_patch_size);
  config.min_pixels = options.value("min_pixels", config.min_pixels);
  config.max_pixels = options.value("max_pixels", config.max_pixels);
  config.normalisation.read(options, "options");
  return config;
}

using Files = std::map<std::string, std::string>;  // text by name

/// A directory with the real tokenizer and the given settings of the image processor.
std::unique_ptr<Folder> model_folder(const Json& options) {
  const Json config{{"model_type", "qwen2_vl"},
                    {"hidden_size", 3584},
                    {"num_attention_heads", 28},
                    {"num_key_value_heads", 4},
                    {"vision_config",
                     {{"patch_size", options.value("patch_size", 14)},
                      {"temporal_patch_size", options.value("temporal_patch_size", 2)},
                      {"spatial_merge_size", options.value("merge_size", 2)}}}};
  auto folder =
      std::make_unique<Folder>(Files{{"config.json", config.dump()}, {"preprocessor_config.json", options.dump()}});
  fs::create_symlink(tokenizer_file("qwen2"), folder->path() / "tokenizer.json");
  return folder;
}

/// One processor for all tests that need no settings of their own: reading the vocabulary takes a while.
const Processor& shared_processor() {
  static const auto processor = load_processor(model_folder(Json::object())->path());
  return *processor;
}

QwenImageConfig load_config(const std::string& preprocessor) {
  return QwenImageConfig::load(Folder(Files{{"preprocessor_config.json", preprocessor}}).path());
}

using Size = std::pair<int64_t, int64_t>;
using Axes = std::vector<std::vector<int32_t>>;

TEST(SmartResize, GivesTheSizesOfThePublishedTable) {
  const std::vector<std::array<int64_t, 4>> table{
      {224, 224, 224, 224},     {20, 20, 56, 56},         {42, 42, 56, 56},        {70, 70, 56, 56},
      {98, 98, 112, 112},       {14, 300, 28, 280},       {480, 640, 476, 644},    {1080, 1920, 1092, 1932},
      {3000, 4000, 2996, 4004}, {5000, 5000, 3556, 3556}, {1365, 2048, 1372, 2044}};
  for (const auto& [height, width, new_height, new_width] : table) {
    EXPECT_EQ(smart_resize(height, width, {}, ""), std::pair(new_height, new_width)) << height << "x" << width;
  }
}

TEST(SmartResize, EqualsTheReferenceOnAGridOfSizes) {
  const Json fixture = expected_values("images.json");
  const std::vector<int64_t> sides = fixture["sides"];
  for (const Json& limit : fixture["limits"]) {
    const QwenImageConfig config = image_config(limit);
    size_t index = 0;
    for (int64_t height : sides) {
      for (int64_t width : sides) {
        const Json& expected = limit["sizes"][index++];
        if (expected.is_number()) {
          EXPECT_THROW(smart_resize(height, width, config, "p"), Error) << height << "x" << width;
        } else {
          EXPECT_EQ(smart_resize(height, width, config, "p"), Size(expected[0], expected[1]))
              << height << "x" << width << " " << limit["max_pixels"];
        }
      }
    }
  }
}

TEST(SmartResize, RefusesThinPicturesByName) {
  expect_error([] { smart_resize(1, 201, {}, "thin.png"); }, {"thin.png: found 201x1 pixels"});
  EXPECT_NO_THROW(smart_resize(1, 200, {}, "thin.png"));
}

TEST(CutPatches, EqualsTheReferenceBitForBit) {
  const Json fixture = expected_values("images.json");
  for (const Json& expected : fixture["patches"]) {
    const std::string where = concat(expected["height"], "x", expected["width"], " patch ", expected["patch_size"]);
    const PicturePatches patches =
        cut_patches(noise_image(expected["height"], expected["width"]), image_config(expected), "noise");
    const auto grid = grid_of(patches.shape);
    EXPECT_EQ(grid.t, 1);
    EXPECT_EQ(grid.h, expected["grid"][1].get<int64_t>()) << where;
    EXPECT_EQ(grid.w, expected["grid"][2].get<int64_t>()) << where;
    ASSERT_EQ(patches.rows.sizes().vec(), expected["shape"].get<std::vector<int64_t>>()) << where;
    const std::span<const float> values(patches.rows.const_data_ptr<float>(), patches.rows.numel());
    // Equality and no tolerance: every value is a byte through the same float32 operations.
    const std::vector<float> some = expected["some"];
    for (size_t i = 0; i < some.size(); ++i) EXPECT_EQ(values[i * (values.size() / 7)], some[i]) << where;
    EXPECT_EQ(fnv(std::as_bytes(values)), expected["hash"].get<std::string>()) << where;
  }
}

TEST(CutPatches, TakeAPicturesOwnLimits) {
  // Values of qwen_vl_utils' fetch_image for a picture of 100 x 300, whose own limits are as wide as these.
  QwenImageConfig config;
  const auto image = noise_image(100, 300);
  const auto size = [&](const PictureLimits& limits) {
    const auto grid = grid_of(cut_patches(image, config, "noise", limits).shape);
    return Size(grid.h * 14, grid.w * 14);
  };
  EXPECT_EQ(size({}), Size(112, 308));
  EXPECT_EQ(size({{}, 10000, {}, {}}), Size(56, 168));
  EXPECT_EQ(size({100000, {}, {}, {}}), Size(196, 560));
  EXPECT_EQ(size({50000, 60000, {}, {}}), Size(140, 392));
  EXPECT_EQ(size({{}, {}, 50, 200}), Size(56, 196));
  EXPECT_EQ(size({{}, {}, 43, 70}), Size(56, 56)) << "halves go to the even multiple";
  EXPECT_EQ(size({100000, {}, 50, 200}), Size(56, 196)) << "a wanted size is the only one of its limits that counts";
  config.max_pixels = 28 * 28;
  EXPECT_EQ(size({{}, {}, 280, 280}), Size(28, 28)) << "within the model's area";
  expect_error([&] { size({2000, {}, {}, {}}); }, {"noise", "min_pixels are 2000", "max_pixels, 784 (the model's)"});
  expect_error([&] { size({{}, {}, 1, 300}); }, {"noise: found 300x1 pixels"});
}

TEST(QwenImageConfig, ReadsEveryLayout) {
  const auto flat = load_config(R"({"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14,
      "image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 0.25]})");
  EXPECT_EQ(flat.max_pixels, 12845056);
  EXPECT_EQ(flat.normalisation.mean[2], 0.3);
  EXPECT_EQ(flat.normalisation.std[2], 0.25);
  const auto sized = load_config(R"({"size": {"min_pixels": 400, "max_pixels": 500}})");
  EXPECT_EQ(std::pair(sized.min_pixels, sized.max_pixels), Size(400, 500));
  const auto edged = load_config(R"({"size": {"shortest_edge": 600, "longest_edge": 700}, "patch_size": 8})");
  EXPECT_EQ(std::pair(edged.min_pixels, edged.max_pixels), Size(600, 700));
  EXPECT_EQ(edged.patch_size, 8);
  const auto both = load_config(R"({"size": {"shortest_edge": 600, "longest_edge": 700}, "max_pixels": 900})");
  EXPECT_EQ(std::pair(both.min_pixels, both.max_pixels), Size(600, 900));
  const auto one_each = load_config(R"({"size": {"longest_edge": 700}, "min_pixels": 100})");
  EXPECT_EQ(std::pair(one_each.min_pixels, one_each.max_pixels), Size(100, 700));
  const auto of_no_use = load_config(R"({"size": {"height": 64, "width": 64}, "min_pixels": 100, "max_pixels": 900})");
  EXPECT_EQ(std::pair(of_no_use.min_pixels, of_no_use.max_pixels), Size(100, 900));
  EXPECT_EQ(load_config(R"({"size": null})").max_pixels, 1003520);
  const auto nested = QwenImageConfig::load(Folder(Files{{"processor_config.json", R"({
      "image_processor": {"size": {"shortest_edge": 256, "longest_edge": 1024}, "merge_size": 4},
      "video_processor": {"size": {"shortest_edge": 1, "longest_edge": 2}}})"}})
                                                .path());
  EXPECT_EQ(std::pair(nested.min_pixels, nested.max_pixels), Size(256, 1024));
  EXPECT_EQ(nested.merge_size, 4);
}

TEST(QwenImageConfig, TakesProcessorConfigFirstWhereItHasThePictures) {
  const std::string own = R"({"merge_size": 3})";
  const auto merge_size = [&](const std::string& shared) {
    const Folder folder(Files{{"preprocessor_config.json", own}, {"processor_config.json", shared}});
    return QwenImageConfig::load(folder.path()).merge_size;
  };
  EXPECT_EQ(merge_size(R"({"image_processor": {"merge_size": 4}})"), 4);
  EXPECT_EQ(merge_size(R"({"processor_class": "Qwen2VLProcessor"})"), 3);
  const Folder folder(Files{{"processor_config.json", "{}"}});
  expect_error([&] { QwenImageConfig::load(folder.path()); },
               {"processor_config.json: key 'image_processor' is missing, and there is no preprocessor_config.json"});
}

TEST(QwenImageConfig, TakesTheFamilysDefaultsForWhatIsNotStated) {
  const auto config = load_config("{}");
  EXPECT_EQ(config.min_pixels, 3136);
  EXPECT_EQ(config.max_pixels, 1003520);
  EXPECT_EQ(config.patch_size, 14);
}

TEST(QwenImageConfig, RefusesSettingsThatCannotBe) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {R"({"patch_size": 0})", "'patch_size' is 0"},
      {R"({"patch_size": 100000})", "'patch_size' is 100000"},
      {R"({"merge_size": -2})", "'merge_size' is -2"},
      {R"({"temporal_patch_size": 0})", "'temporal_patch_size' is 0"},
      {R"({"min_pixels": 0})", "'min_pixels' is 0"},
      {R"({"max_pixels": 9000000000000})", "'max_pixels' is 9000000000000"},
      {R"({"size": {"shortest_edge": 1, "longest_edge": -1}})", "'longest_edge' is -1"},
      {R"({"size": {"height": 64, "width": 64}})", "preprocessor_config.json: key 'size' is "},
      {R"({"size": {"longest_edge": 900}})",
       "without a limit 'shortest_edge'; expected shortest_edge and longest_edge"},
      {R"({"size": {"shortest_edge": 900}})", "without a limit 'longest_edge'"},
      {R"({"size": {"height": 64, "width": 64}, "min_pixels": 400})", "without a limit 'longest_edge'"},
      {R"({"size": {}})", "without a limit 'shortest_edge'"},
      {R"({"min_pixels": 500, "max_pixels": 400})", "min_pixels is 500"},
      {R"({"image_std": [0.5, 0, 0.5]})", "'image_std' holds 0"},
      {R"({"image_mean": [0.5]})", "'image_mean' has 1 values"},
      {R"({"do_normalize": false})", "'do_normalize' is false"},
      {R"({"rescale_factor": 1})", "'rescale_factor' is 1"},
      {R"({"resample": 2})", "'resample' is 2"}};
  for (const auto& [settings, part] : wrong) expect_error([&] { load_config(settings); }, {part});
  expect_error([] { QwenImageConfig::load(Folder(Files{}).path()); }, {"neither preprocessor_config.json nor"});
  expect_error(
      [] {
        QwenImageConfig::load(Folder(Files{{"processor_config.json", "{}"}}).path());
      },
      {"'image_processor'"});
}

TEST(Qwen2VlProcessor, EncodesConversationsAsTheReferenceDoes) {
  std::map<std::string, std::unique_ptr<Processor>> processors;
  const Json cases = expected_values("conversations.json");
  for (const Json& expected : cases) {
    SCOPED_TRACE(expected["name"].get<std::string>());
    const bool plain = expected["plain"];
    auto& processor = processors[expected["image_processor"].dump() + (plain ? " plain" : "")];
    if (!processor) {
      processor = load_processor(model_folder(expected["image_processor"])->path(),
                                 plain ? SpecialText::kPlain : SpecialText::kControl);
    }
    const Conversation conversation = read_conversation(expected["turns"]);
    const Sample sample = processor->encode(conversation);
    expect_sample(sample, expected);
    expect_picture_positions(sample, processor->tokenizer().require("<|image_pad|>"));
    expect_outline(*processor, conversation, sample);
    ASSERT_EQ(sample.images.size(), expected["grids"].size());
    for (size_t i = 0; i < sample.images.size(); ++i) {
      const auto grid = grid_of(sample.images[i].shape);
      EXPECT_EQ(grid.h, expected["grids"][i][1].get<int64_t>());
      EXPECT_EQ(grid.w, expected["grids"][i][2].get<int64_t>());
      EXPECT_EQ(sample.images[i].rows.size(0), sample.images[i].shape.num_patches);
    }
    if (!expected.contains("prompt")) continue;
    expect_prompt(processor->encode_prompt(conversation), expected);
  }
}

TEST(Qwen2VlProcessor, WeighsTheTokensOfEachTurn) {
  const auto with_weights = [](double first, double second) {
    Conversation conversation{"w", "", {}};
    conversation.turns = {{Role::kUser, {text("1?")}},
                          {Role::kAssistant, {text("one")}, first},
                          {Role::kUser, {text("2?")}},
                          {Role::kAssistant, {text("twenty-two")}, second}};
    return shared_processor().encode(conversation);
  };
  const auto plain = with_weights(1, 1), weighted = with_weights(0.5, 3), second = with_weights(0, 1);
  EXPECT_TRUE(plain.label_weights.empty());
  EXPECT_EQ(weighted.tokens, plain.tokens);
  EXPECT_EQ(weighted.labels, plain.labels);
  const size_t num_second = second.labels.size(), num_first = plain.labels.size() - num_second;
  ASSERT_EQ(num_first, 2U);  // "one", the end of the turn
  std::vector<float> weights(num_first, 0.5F);
  weights.resize(plain.labels.size(), 3.0F);
  EXPECT_EQ(weighted.label_weights, weights);
  EXPECT_EQ(second.tokens, plain.tokens);
  EXPECT_EQ(second.answer_positions, (std::vector(plain.answer_positions.begin() + 2, plain.answer_positions.end())));
  EXPECT_TRUE(second.label_weights.empty());
  EXPECT_EQ(with_weights(0, 2).label_weights, std::vector<float>(num_second, 2.0F));
}

TEST(Qwen2VlProcessor, EndsTurnsWithTheControlToken) { EXPECT_EQ(shared_processor().end_of_turn(), 151645); }

TEST(Qwen2VlProcessor, RefusesPlaceholdersWithoutAPicture) {
  for (const std::string placeholder : {"<|image_pad|>", "<|video_pad|>"}) {
    const Conversation conversation{"c7", "", {{Role::kUser, {text("What is " + placeholder + "?")}}}};
    expect_error([&] { shared_processor().encode_prompt(conversation); }, {"conversation 'c7': found " + placeholder});
  }
}

TEST(Qwen2VlProcessor, RefusesAPromptWithoutAUserTurn) {
  const Conversation conversation{"c8", "", {{Role::kAssistant, {text("Hello")}}}};
  expect_error([&] { shared_processor().encode_prompt(conversation); }, {"conversation 'c8': found no user turn"});
}

TEST(Qwen2VlProcessor, NamesThePictureThatIsMissing) {
  const Conversation conversation{"c9", "", {{Role::kUser, {picture("/nowhere/cat.jpg")}}}};
  expect_error([&] { shared_processor().encode(conversation); }, {"open /nowhere/cat.jpg"});
  auto of_a_file = conversation;
  of_a_file.images = "/nowhere";
  expect_error([&] { shared_processor().encode(of_a_file); },
               {"there is no picture /nowhere/cat.jpg", "relative paths start in /nowhere", "--images"});
}

TEST(Qwen2VlProcessor, HasAFingerprintOfEachOfItsParts) {
  const auto fingerprint = [](const Json& options, SpecialText special_text = SpecialText::kControl) {
    return load_processor(model_folder(options)->path(), special_text)->fingerprint();
  };
  const auto usual = shared_processor().fingerprint(), again = fingerprint(Json::object());
  EXPECT_EQ(again.tokenizer, usual.tokenizer);
  EXPECT_EQ(again.chat_template, usual.chat_template);
  EXPECT_EQ(again.pre_processing, usual.pre_processing);
  EXPECT_EQ(usual.tokenizer.size(), 16U);

  const auto plain = fingerprint(Json::object(), SpecialText::kPlain);
  EXPECT_EQ(plain.tokenizer, usual.tokenizer);
  EXPECT_NE(plain.chat_template, usual.chat_template);
  const auto larger = fingerprint({{"max_pixels", 40000}});
  EXPECT_EQ(larger.chat_template, usual.chat_template);
  EXPECT_NE(larger.pre_processing.find("to 40000 pixels"), std::string::npos) << larger.pre_processing;
  EXPECT_EQ(usual.pre_processing.find("to 40000 pixels"), std::string::npos);
}

TEST(LoadProcessor, ListsTheFamiliesItKnows) {
  const Folder other(Files{{"config.json", R"({"model_type": "llama"})"}});
  expect_error([&] { load_processor(other.path()); },
               {"'model_type' is 'llama', expected one of: qwen2_vl, qwen2_5_vl, qwen3_vl"});
  const Folder none(Files{{"config.json", "{}"}});
  expect_error([&] { load_processor(none.path()); }, {"'model_type' is missing"});
}

}  // namespace
}  // namespace vlsi
