#include "run/pair.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "tests/data/data_files.h"
#include "tests/method/method_fixture.h"

namespace vlsi {
namespace {

/// The toy tokenizer, edited.
template <class Edit>
Tokenizer edited(const Folder& folder, const std::string& name, const Edit& edit) {
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
  const Folder folder;
  const auto same = edited(folder, "same", [](OrderedJson&) {});
  EXPECT_NO_THROW(check_same_vocabulary(same, edited(folder, "other", [](OrderedJson&) {})));
}

TEST(CheckSameVocabulary, NamesTheIdsThatDiffer) {
  const Folder folder;
  const auto student = edited(folder, "student", [](OrderedJson&) {});
  const auto teacher = edited(folder, "teacher", [](OrderedJson& json) {
    added_token(json, 309)["content"] = "<stop>";
    added_token(json, 311)["content"] = "tea";
  });
  EXPECT_ERROR(check_same_vocabulary(student, teacher), "309 ('<end>' against '<stop>'), 311 (");
  EXPECT_ERROR(check_same_vocabulary(student, teacher), "pairing " + (folder.path() / "student").string());
}

TEST(CheckSameVocabulary, NamesIdsThatOneTokenizerLacks) {
  const Folder folder;
  const auto student = edited(folder, "student", [](OrderedJson&) {});
  const auto longer = edited(folder, "longer", [](OrderedJson& json) {
    auto token = added_token(json, 311);
    token["id"] = 312;
    token["content"] = "<new>";
    json["added_tokens"].push_back(token);
  });
  EXPECT_ERROR(check_same_vocabulary(student, longer), "312 (no token against '<new>')");
  EXPECT_ERROR(check_same_vocabulary(longer, student), "312 ('<new>' against no token)");
}

TEST(CheckSameVocabulary, NamesTheFirstThreeIdsOfMany) {
  const Folder folder;
  const auto student = edited(folder, "student", [](OrderedJson&) {});
  const auto swapped = edited(folder, "swapped", [](OrderedJson& json) {
    auto& vocabulary = json["model"]["vocab"];
    std::swap(vocabulary["!"], vocabulary["#"]);
    std::swap(vocabulary["$"], vocabulary["%"]);
  });
  EXPECT_ERROR(check_same_vocabulary(student, swapped),
               "0 ('!' against '#'), 2 ('#' against '!'), 3 ('$' against '%');");
}

TEST(HeadStays, WhereLogitsAreCompared) {
  const auto tied = load_model_config(method_fixture::kFolder / "student"),
             untied = load_model_config(method_fixture::kFolder / "teacher");
  const auto message = [](LossKind between, LossKind last, bool head, const std::string& part,
                          const ModelConfig& student) {
    InteractConfig config;
    config.intermediate_loss = between;
    config.last_loss = last;
    config.head = head;
    config.train = {"decoder", part};
    try {
      check_head_stays(config, student, "runs/a");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(LossKind::kL2, LossKind::kKl, true, "head", untied)
                .find("runs/a: key 'interact.train' names 'head', but the loss l2"),
            0U);
  EXPECT_EQ(
      message(LossKind::kKl, LossKind::kL2, true, "embeddings", tied)
          .find("runs/a: key 'interact.train' names 'embeddings', which is the language head too, but the loss l2"),
      0U);
  // The last layer has no verb-FFN: its l2 is the logits', with heads or without.
  EXPECT_NE(message(LossKind::kL2, LossKind::kL2, false, "head", untied), "");
  // An untied embedding is no head, verb-FFNs are compared without one, and a KL takes it as it is.
  EXPECT_EQ(message(LossKind::kL2, LossKind::kL2, true, "embeddings", untied), "");
  EXPECT_EQ(message(LossKind::kL2, LossKind::kKl, false, "head", untied), "");
  EXPECT_EQ(message(LossKind::kKl, LossKind::kKl, true, "head", untied), "");
}

}  // namespace
}  // namespace vlsi
