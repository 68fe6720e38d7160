// The overview of benchmarks: results beside the paper's.
#include "report/overview.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/safetensors.h"
#include "tests/data/data_files.h"

namespace vlsi {
namespace {

std::string result(const std::string& benchmark, const std::string& score, const std::string& more = "") {
  return R"({"benchmark": ")" + benchmark + R"(", "profile": "vlsi", "score": )" + score + more + "}";
}

const OrderedJson* model_of(const OrderedJson& overview, const std::string& name) {
  for (const auto& model : overview["models"]) {
    if (model["name"] == name) return &model;
  }
  return nullptr;
}

TEST(Overview, IsThereWhereItIsAskedFor) {
  EXPECT_TRUE(overview_json({}).is_null());
  EXPECT_ERROR(overview_json({{"nowhere"}, false}), "nowhere: has no results.json");
}

TEST(Overview, HasTheBenchmarksThatThereAreResultsOf) {
  const Folder folder({{"a/mme/results.json", result("mme", "1900")},
                       {"a/easy/results.json", R"({"benchmark": "easy-vqa", "accuracy": 0.75})"},
                       {"b/results.json", result("mm-vet", "60.5")}});
  const auto overview = overview_json({{"A=" + (folder / "a").string(), (folder / "b").string()}, false});
  EXPECT_EQ(overview["benchmarks"], (OrderedJson{{{"name", "mm-vet"}, {"full", 100}},
                                                 {{"name", "mme"}, {"full", 2800}},
                                                 {{"name", "easy-vqa"}, {"full", 100}}}));
  ASSERT_EQ(overview["models"].size(), 2);
  EXPECT_EQ(overview["models"][0], (OrderedJson{{"name", "A"},
                                                {"billions", nullptr},
                                                {"paper", false},
                                                {"shown", true},
                                                {"scores", {{"mme", 1900}, {"easy-vqa", 75}}},
                                                {"profiles", {{"mme", "vlsi"}}}}));
}

TEST(Overview, CountsTheParametersOfAModelThatIsStillThere) {
  const Folder folder;
  std::filesystem::create_directories(folder / "model");
  write_safetensors(folder / "model" / "model.safetensors",
                    {{"a", at::zeros({1000, 3})}, {"b", at::zeros({500}, at::kBFloat16)}});
  folder.write("results.json", result("mmmu", "41", R"(, "model": ")" + (folder / "model").string() + "\""));
  const auto overview = overview_json({{(folder.path()).string()}, false});
  EXPECT_DOUBLE_EQ(overview["models"][0]["billions"].get<double>(), 3500e-9);
}

TEST(Overview, PutsThePapersModelsBesideThem) {
  const Folder folder({{"a/results.json", result("mm-vet", "60.5")}});
  const auto overview = overview_json({{(folder / "a").string()}, true});
  const auto* own = model_of(overview, "a");
  ASSERT_NE(own, nullptr);
  EXPECT_EQ((*own)["paper"], false);
  const auto* seven = model_of(overview, "VLsI-7B");
  ASSERT_NE(seven, nullptr);
  EXPECT_EQ(*seven, (OrderedJson{{"name", "VLsI-7B"},
                                 {"billions", 7},
                                 {"paper", true},
                                 {"shown", true},
                                 {"scores", {{"mm-vet", 75.8}}},  // of Table 3(b); Table 1 has 75.2
                                 {"profiles", OrderedJson::object()}}));
  EXPECT_EQ((*model_of(overview, "Phantom-7B"))["shown"], false);
  EXPECT_EQ((*model_of(overview, "GPT-4V (0409)"))["billions"], nullptr);
  EXPECT_EQ(model_of(overview, "MobileVLM-1.7B"), nullptr) << "it has no score on MM-Vet";
  const auto alone = overview_json({{}, true});
  EXPECT_EQ(alone["benchmarks"].size(), 17);
  EXPECT_EQ((*model_of(alone, "VLsI-2B"))["scores"].size(), 17);
}

}  // namespace
}  // namespace vlsi
