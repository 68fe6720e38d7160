// Pairing models: both must give the same ids the same meaning.
#include "method/data.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "tests/input/data_files.h"

namespace vlsi {
namespace {

/// The toy tokenizer, edited.
template <class Edit>
Tokenizer edited(const TemporaryFolder& folder, const std::string& name, const Edit& edit) {
  std::ifstream file(VLSI_TEST_DATA "/tokenizer/toy/tokenizer.json");
  auto json = OrderedJson::parse(file);
  edit(json);
  std::filesystem::create_directories(folder.path() / name);
  folder.write(name + "/tokenizer.json", json.dump());
  return Tokenizer::load(folder.path() / name);
}

OrderedJson& added_token(OrderedJson& json, int id) {
  for (auto& token : json["added_tokens"]) {
    if (token["id"] == id) return token;
  }
  throw std::logic_error("no such token");
}

TEST(CheckSameVocabulary, AcceptsEqualTokenizers) {
  const TemporaryFolder folder;
  const auto same = edited(folder, "same", [](OrderedJson&) {});
  EXPECT_NO_THROW(check_same_vocabulary(same, edited(folder, "other", [](OrderedJson&) {})));
}

TEST(CheckSameVocabulary, NamesTheIdsThatDiffer) {
  const TemporaryFolder folder;
  const auto student = edited(folder, "student", [](OrderedJson&) {});
  const auto teacher = edited(folder, "teacher", [](OrderedJson& json) {
    added_token(json, 309)["content"] = "<stop>";
    added_token(json, 311)["content"] = "tea";
  });
  EXPECT_ERROR(check_same_vocabulary(student, teacher), "309 ('<end>' against '<stop>'), 311 (");
  EXPECT_ERROR(check_same_vocabulary(student, teacher), "pairing " + (folder.path() / "student").string());
}

TEST(CheckSameVocabulary, NamesIdsThatOneTokenizerLacks) {
  const TemporaryFolder folder;
  const auto student = edited(folder, "student", [](OrderedJson&) {});
  const auto longer = edited(folder, "longer", [](OrderedJson& json) {
    auto token = added_token(json, 311);
    token["id"] = 312;
    token["content"] = "<new>";
    json["added_tokens"].push_back(token);
  });
  EXPECT_ERROR(check_same_vocabulary(student, longer), "312 ('' against '<new>')");
  EXPECT_ERROR(check_same_vocabulary(longer, student), "312 ('<new>' against '')");
}

TEST(CheckSameVocabulary, NamesTheFirstThreeIdsOfMany) {
  const TemporaryFolder folder;
  const auto student = edited(folder, "student", [](OrderedJson&) {});
  const auto swapped = edited(folder, "swapped", [](OrderedJson& json) {
    auto& vocabulary = json["model"]["vocab"];
    std::swap(vocabulary["!"], vocabulary["#"]);
    std::swap(vocabulary["$"], vocabulary["%"]);
  });
  EXPECT_ERROR(check_same_vocabulary(student, swapped),
               "0 ('!' against '#'), 2 ('#' against '!'), 3 ('$' against '%');");
}

}  // namespace
}  // namespace vlsi
