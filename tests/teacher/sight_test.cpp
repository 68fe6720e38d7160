// A teacher whose answers do not change with its pictures is found.
#include "teacher/sight.h"

#include <ATen/ATen.h>

#include "tests/method/method_fixture.h"
#include "tests/support/errors.h"

namespace vlsi {
namespace {

using method_fixture::load_samples;

/// The fixture's teacher with a projector of zeros, which gives every picture the same rows.
std::shared_ptr<Vlm> blind_teacher(Residency residency = Residency::kResident) {
  auto model = load_vlm(method_fixture::kFolder / "teacher", at::kFloat, at::kCPU, residency);
  for (auto& [name, parameter] : model->named_parameters()) {
    if (part_of(name) == "projector") parameter.set_data(at::zeros_like(parameter));
  }
  return model;
}

/// The first sample of the fixture with a picture before its answer.
Sample seeing_sample() {
  for (const int index : {0, 1}) {
    for (auto& sample : load_samples(index)) {
      if (!sample.images.empty() && sample.image_token_positions.front() < sample.answer_positions.back())
        return sample;
    }
  }
  throw std::logic_error("there is none");
}

TEST(Sight, IsThereWhereAPictureChangesTheAnswers) {
  for (const auto residency : {Residency::kResident, Residency::kStreamed}) {
    const auto model = load_vlm(method_fixture::kFolder / "teacher", at::kFloat, at::kCPU, residency);
    EXPECT_TRUE(check_sight(*model, pack({seeing_sample()}), "interact"));
    EXPECT_TRUE(check_sight(*model, method_fixture::load_batch(0), "interact"));
  }
}

TEST(Sight, IsMissedWhereNoPictureReachesTheDecoder) {
  const auto batch = pack({seeing_sample()});
  const auto model = blind_teacher();
  expect_error([&] { check_sight(*model, batch, "interact"); },
               {"interact: the teacher is blind", concat("on the ", batch.num_answers(), " answer tokens"),
                "teacher.check_sight: false"});
}

TEST(Sight, CannotBeToldWithoutAPictureBeforeAnAnswer) {
  const auto model = blind_teacher();  // which is found where it can be told
  auto text = seeing_sample();
  text.images.clear();
  text.image_token_positions.clear();
  EXPECT_FALSE(check_sight(*model, pack({text}), "interact"));

  auto blank = seeing_sample();
  for (auto& image : blank.images) image.rows = at::zeros_like(image.rows);
  EXPECT_FALSE(check_sight(*model, pack({blank}), "interact"));

  auto late = seeing_sample();
  late.answer_positions = {late.image_token_positions.front() - 1};
  late.labels = {1};
  EXPECT_FALSE(check_sight(*model, pack({late}), "interact"));
  late.answer_positions = {late.image_token_positions.front()};
  expect_error([&] { check_sight(*model, pack({late, text}), "interact"); }, {"is blind"});
}

TEST(Sight, IsLookedForWithoutATrace) {
  const auto model = load_vlm(method_fixture::kFolder / "teacher", at::kFloat);
  const auto batch = pack({seeing_sample()});
  const auto patches = batch.patches.clone();
  const auto before = model->forward(batch, {}).final_rows;
  check_sight(*model, batch, "interact");
  EXPECT_TRUE(at::equal(batch.patches, patches));
  EXPECT_TRUE(at::equal(model->forward(batch, {}).final_rows, before));
}

}  // namespace
}  // namespace vlsi
