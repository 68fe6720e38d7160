// Views, tokens and patches of pictures. Expected values: tests/oracle/make_view_fixture.py.
#include "family/llava_onevision/pictures.h"

#include "tests/model/fixtures.h"
#include "tests/picture/test_pictures.h"

namespace vlsi {
namespace {

LlavaOnevisionConfig llava_config(const std::string& name) {
  const Json hub{{"model_type", "llava_onevision"}};
  return own_config<LlavaOnevisionConfig>(name == "hub"
                                              ? parse_model_config(hub, "hub")
                                              : load_model_config(fixtures::directory("llava_onevision/" + name)));
}

const Json& views_fixture() {
  static const Json json = read_json(fixtures::directory("llava_onevision/views.json"));
  return json;
}

using Texts = std::map<std::string, std::string>;

constexpr Normalisation kHalves{{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};

/// Views and tokens.
std::pair<int64_t, int64_t> views_and_tokens(Sides picture, const LlavaOnevisionConfig& config) {
  const auto shape = shape_of_grid(picture, config);
  EXPECT_EQ(shape.num_patches % config.view_patches(), 0);
  return {shape.num_patches / config.view_patches(), shape.num_rows};
}

TEST(ShapeOfGrid, GivesTheNumbersOfThePublishedTable) {
  const auto config = llava_config("hub");
  struct Row {
    Sides picture, grid, inside, kept;
    int64_t views, tokens;
  };
  const std::vector<Row> table{{{200, 200}, {384, 384}, {384, 384}, {27, 27}, 2, 1485},
                               {{384, 384}, {384, 384}, {384, 384}, {27, 27}, 2, 1485},
                               {{480, 640}, {768, 768}, {576, 768}, {40, 54}, 5, 2929},
                               {{640, 480}, {768, 768}, {768, 576}, {54, 40}, 5, 2943},
                               {{768, 1152}, {768, 1152}, {768, 1152}, {54, 81}, 7, 5157},
                               {{899, 1024}, {1152, 1152}, {1012, 1152}, {71, 81}, 10, 6551},
                               {{1000, 1000}, {1152, 1152}, {1152, 1152}, {81, 81}, 10, 7371},
                               {{336, 2000}, {384, 2304}, {384, 2286}, {27, 160}, 7, 5076},
                               {{1080, 1920}, {1152, 1920}, {1080, 1920}, {60, 108}, 16, 7269},
                               {{2304, 2304}, {2304, 2304}, {2304, 2304}, {81, 81}, 37, 7371},
                               {{3000, 4000}, {1920, 2304}, {1728, 2304}, {70, 93}, 31, 7309}};
  for (const auto& row : table) {
    SCOPED_TRACE(concat(row.picture.height, "x", row.picture.width));
    const auto grid = select_grid(row.picture, config);
    EXPECT_EQ(grid, row.grid);
    EXPECT_EQ(size_inside(row.picture, grid), row.inside);
    EXPECT_EQ(kept_patches(layout_of(shape_of_grid(row.picture, config)).filled, config), row.kept);
    EXPECT_EQ(views_and_tokens(row.picture, config), std::pair(row.views, row.tokens));
  }
  EXPECT_EQ(shape_of_view(config).num_patches, 729);
  EXPECT_EQ(shape_of_view(config).num_rows, 730);
}

TEST(ShapeOfGrid, CountsAsTheReferenceDoes) {
  const std::vector<int64_t> sides = views_fixture()["sides"];
  for (const auto& expected : views_fixture()["configs"]) {
    const auto config = llava_config(expected["name"]);
    auto entry = expected["counts"].begin();
    for (const int64_t height : sides) {
      for (const int64_t width : sides) {
        const std::pair<int64_t, int64_t> pair = *entry++;
        EXPECT_EQ(views_and_tokens({height, width}, config), pair) << expected["name"] << ' ' << height << 'x' << width;
      }
    }
    EXPECT_EQ(entry, expected["counts"].end());

    const auto bytes = noise(80000, 7);
    std::vector<int32_t> all;
    for (size_t i = 0; i < bytes.size(); i += 4) {
      const auto side = [&](size_t at) { return (bytes[at] * 256 + bytes[at + 1]) % 4096 + 1; };
      const auto [views, tokens] = views_and_tokens({side(i), side(i + 2)}, config);
      all.push_back(static_cast<int32_t>(views));
      all.push_back(static_cast<int32_t>(tokens));
    }
    EXPECT_EQ(fnv(std::as_bytes(std::span(all))), expected["random"].get<std::string>()) << expected["name"];
  }
}

TEST(CutGrid, EqualsTheReferenceBitForBit) {
  for (const auto& expected : views_fixture()["patches"]) {
    const std::string name = expected["config"];
    const bool is_alone = expected["alone"];
    const auto where = concat(name, ' ', expected["height"], 'x', expected["width"], is_alone ? " alone" : "");
    const auto config = llava_config(name);
    auto normalisation = kHalves;
    if (name == "untied")  // the values of a file that states none
      normalisation = load_llava_onevision_normalisation(
          Folder(Texts{{"preprocessor_config.json", R"({"do_pad": true})"}}).path(), config);
    const auto image = noise_image(expected["height"], expected["width"]);
    const auto patches =
        is_alone ? cut_grid(image, config, normalisation, "noise") : cut_view(image, config, normalisation, "noise");
    ASSERT_EQ(patches.rows.sizes().vec(), expected["shape"].get<std::vector<int64_t>>()) << where;
    EXPECT_EQ(patches.shape.num_patches, patches.rows.size(0));
    const std::span<const float> values(patches.rows.const_data_ptr<float>(), patches.rows.numel());
    // Equality and no tolerance: every value is a byte through the same float32 operations.
    const std::vector<float> some = expected["some"];
    for (size_t i = 0; i < some.size(); ++i) EXPECT_EQ(values[i * (values.size() / 7)], some[i]) << where;
    EXPECT_EQ(fnv(std::as_bytes(values)), expected["hash"].get<std::string>()) << where;
  }
}

TEST(CutGrid, RefusesAPictureWhosePatchesAreReducedToNone) {
  auto config = llava_config("hub");
  config.grid_pixels = {{384, 64 * 384}};
  config.max_views = 1;
  expect_error([&] { cut_grid(noise_image(1, 1700), config, kHalves, "thin.png"); },
               {"cannot use picture thin.png: found 1700x1 pixels", "anyres_max_1 reduces to"});
}

TEST(LlavaOnevisionPictures, BesideOthersAreRefusedWhereTheirSquareIsTooLarge) {
  const auto config = llava_config("tied");
  const LlavaOnevisionPictureReader reader(Folder(Texts{}).path(), config);
  const std::vector<std::string> parts{"cannot use picture thin.png", "65000x1 pixels", "65000x65000",
                                       concat("at most ", kMostImagePixels)};
  expect_error([&] { reader.shape({1, 65000}, {}, 2, "thin.png"); }, parts);
  expect_error([&] { reader.read(noise_image(1, 65000), {}, 2, "thin.png"); }, parts);
  EXPECT_EQ(reader.shape({1, 13000}, {}, 2, "long.png"), shape_of_view(config));
}

TEST(LlavaOnevisionNormalisation, IsSiglipsWhereADirectoryHasNoSettings) {
  const auto config = llava_config("tied");
  const auto load = [&](const std::string& name, const Json& settings) {
    return load_llava_onevision_normalisation(Folder(Texts{{name, settings.dump()}}).path(), config);
  };
  EXPECT_EQ(load("other.json", {}).text(), kHalves.text());
  EXPECT_EQ(load("preprocessor_config.json", {{"image_mean", {0.1, 0.2, 0.3}}, {"image_std", {0.4, 0.5, 0.6}}}).text(),
            "mean 0.1 0.2 0.3, std 0.4 0.5 0.6");
  EXPECT_EQ(load("processor_config.json", {{"image_processor", {{"image_mean", {0.1, 0.2, 0.3}}}}}).mean[2], 0.3);
  const auto refuse = [&](const Json& settings, const std::string& part) {
    expect_error([&] { load("preprocessor_config.json", settings); }, {"preprocessor_config.json", part});
  };
  refuse({{"size", {{"height", 384}, {"width", 20}}}}, "height 384, config.json's vision tower image_size 20");
  refuse({{"size", {{"shortest_edge", 384}}}}, "shortest_edge 384");
  refuse({{"image_grid_pinpoints", {{20, 20}}}}, "'image_grid_pinpoints' is not that of config.json");
  refuse({{"do_normalize", false}}, "'do_normalize' is false");
  refuse({{"resample", 2}}, "'resample' is 2");
}

}  // namespace
}  // namespace vlsi
