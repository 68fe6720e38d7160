#include "run/pair.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/data/data_files.h"
#include "tests/method/method_fixture.h"
#include "tests/plan/plan_fixture.h"

namespace vlsi {
namespace {

TEST(Pair, LooksAtTheWeightsOfATeacherThatIsWhole) {
  const Folder folder;
  const auto sizes = plan_fixture::small_config(/*num_layers=*/1, /*width=*/64, /*tied=*/true);
  const auto model = initialize_vlm(sizes, Initializer::kFanIn, /*seed=*/1);
  const auto save = [&](const char* name) {
    save_vlm(folder / name, *model, at::kFloat, VLSI_TEST_DATA "/tiny/tokenizer");
    return folder / name;
  };
  RunConfig config;
  config.dtype = {at::kFloat};
  config.student.model = save("student");
  config.teacher.model = save("teacher");
  const auto weights = SafetensorsFile::open(config.teacher.model / "model.safetensors");
  NamedTensors tensors;
  for (const auto& [name, info] : weights->tensors()) tensors.emplace_back(name, weights->tensor(name).clone());
  tensors.back().second.fill_(NAN);  // a model with it is not saved
  write_safetensors(config.teacher.model / "model.safetensors", tensors);
  for (const auto residency : {Residency::kResident, Residency::kSharded}) {
    config.teacher.residency = residency;
    vlsi::Pair pair(config, one_rank(), /*with_teacher=*/true);
    expect_error([&] { pair.teacher(); }, {"loading the teacher in " + config.teacher.model.string(), " is nan at "});
  }
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
      check_head_stays(config, student, "runs/a", /*cached_teacher=*/false);
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
