// Which ids two tokenizers share, and who makes a step's samples.
#include "run/pair_processors.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "tests/data/data_files.h"
#include "tests/data/paired_processor.h"

namespace vlsi {
namespace {

/// A folder with the toy tokenizer, edited.
template <class Edit>
std::filesystem::path edited(const Folder& folder, const std::string& name, const Edit& edit) {
  std::ifstream file(VLSI_TEST_DATA "/tokenizer/toy/tokenizer.json");
  auto json = OrderedJson::parse(file);
  edit(json);
  std::filesystem::create_directories(folder.path() / name);
  folder.write(name + "/tokenizer.json", json.dump());
  return folder.path() / name;
}

OrderedJson& added_token(OrderedJson& json, int id) {
  for (auto& token : json["added_tokens"]) {
    if (token["id"] == id) return token;
  }
  throw std::logic_error("no such token");
}

/// The first ids that the toy tokenizer shares with one that `edit` made of it.
template <class Edit>
int64_t shared_with(const Folder& folder, const Edit& edit) {
  const PairedProcessor student(edited(folder, "student", [](OrderedJson&) {}), 0),
      teacher(edited(folder, "teacher", edit), 0);
  const int64_t shared = check_shared_ids(student, teacher);
  EXPECT_EQ(check_shared_ids(teacher, student), shared);
  EXPECT_EQ(count_shared_ids(student.tokenizer(), teacher.tokenizer()), shared);
  return shared;
}

void add_token(OrderedJson& json, int id, const std::string& content) {
  auto token = added_token(json, 311);
  token["id"] = id;
  token["content"] = content;
  json["added_tokens"].push_back(token);
}

TEST(SharedIds, AreAllOfEqualTokenizers) {
  EXPECT_EQ(shared_with(Folder(), [](OrderedJson&) {}), kAllIds);
}

TEST(SharedIds, EndAtTheFirstThatDiffersBehindTheEndOfTurn) {
  EXPECT_EQ(shared_with(Folder(), [](OrderedJson& json) { added_token(json, 310)["content"] = "<stop>"; }), 310);
  EXPECT_EQ(shared_with(Folder(), [](OrderedJson& json) { added_token(json, 311)["content"] = "tea"; }), 311);
  EXPECT_EQ(shared_with(Folder(), [](OrderedJson& json) { add_token(json, 312, "<new>"); }), 312);
}

TEST(SharedIds, AreTooFewWithoutTheEndOfTurn) {
  const Folder folder;
  const auto stop = [](OrderedJson& json) {
    added_token(json, 309)["content"] = "<stop>";
    added_token(json, 311)["content"] = "tea";
  };
  EXPECT_ERROR(shared_with(folder, stop), "first at ids 309 ('<end>' against '<stop>'), 311 (");
  EXPECT_ERROR(shared_with(folder, stop), "pairing " + (folder.path() / "student").string());
  const PairedProcessor student(folder.path() / "student", 0), other_end(folder.path() / "student", 0, 310);
  EXPECT_ERROR(check_shared_ids(student, other_end), "a turn ends with 309 and 310; expected");
}

TEST(SharedIds, AreTooFewWithoutAPieceOfText) {
  const Folder folder;
  const auto swap = [](OrderedJson& json) {
    auto& vocabulary = json["model"]["vocab"];
    std::swap(vocabulary["!"], vocabulary["#"]);
    std::swap(vocabulary["$"], vocabulary["%"]);
  };
  EXPECT_ERROR(shared_with(folder, swap),
               "first at ids 0 ('!' against '#'), 2 ('#' against '!'), 3 ('$' against '%');");
  EXPECT_ERROR(shared_with(folder, swap), "expected the same ids up to 308");
  // A vocabulary that ends earlier lacks pieces that the other may answer with.
  const auto shorten = [](OrderedJson& json) {
    json["model"]["merges"].erase(json["model"]["merges"].size() - 1);
    for (auto& [piece, id] : json["model"]["vocab"].items()) {
      if (id == 308) {
        const std::string last = piece;
        json["model"]["vocab"].erase(last);
        break;
      }
    }
  };
  EXPECT_ERROR(shared_with(folder, shorten), "first at ids 308 (");
}

TEST(PairProcessors, MakeSamplesOfBothForAStepThatComparesThem) {
  const std::filesystem::path toy = VLSI_TEST_DATA "/tokenizer/toy";
  PairProcessors processors;
  processors.student = std::make_shared<PairedProcessor>(toy, 2);
  processors.teacher = std::make_shared<PairedProcessor>(toy, 5);
  RunConfig config;
  const auto* student = processors.student.get();
  const auto* teacher = processors.teacher.get();
  const auto expect = [&](StepKind step, const Processor* own, const Processor* theirs) {
    EXPECT_EQ(&processors.of(step), own);
    const auto maker = processors.maker(config, step);
    EXPECT_EQ(&maker.own(), own);
    EXPECT_EQ(maker.teacher(), theirs);
  };
  expect(StepKind::kVerbalizeStudent, student, nullptr);
  expect(StepKind::kVerbalizeTeacher, teacher, nullptr);
  expect(StepKind::kInteract, student, teacher);
  expect(StepKind::kFinetune, student, nullptr);
  config.interact.intermediate_loss = config.interact.last_loss = LossKind::kCrossEntropy;
  expect(StepKind::kInteract, student, nullptr);
  config.interact.last_loss = LossKind::kL2;
  expect(StepKind::kInteract, student, teacher);
  config.interact.last_loss = LossKind::kKl;
  config.teacher.cache = "cache";
  expect(StepKind::kInteract, student, nullptr);
  config.teacher.cache = "";
  processors.teacher = processors.student;
  expect(StepKind::kInteract, student, nullptr);
}

}  // namespace
}  // namespace vlsi
