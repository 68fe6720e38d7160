// Rows of a streamed teacher, prepared for an iteration and given out batch by batch.
#include "teacher/frozen_rows.h"

#include <ATen/ATen.h>

#include "tests/method/method_fixture.h"

namespace vlsi {
namespace {

using method_fixture::load_batch;
using method_fixture::stored_speaker;

std::shared_ptr<const Vlm> streamed_teacher() {
  return load_vlm(method_fixture::kFolder / "teacher", at::kFloat, at::kCPU, Residency::kStreamed);
}

void expect_equal(const Hidden& found, const Hidden& expected) {
  EXPECT_TRUE(at::equal(found.layers, expected.layers));
  EXPECT_TRUE(at::equal(found.final_rows, expected.final_rows));
}

TEST(FrozenRows, AreThoseOfAResidentModelPreparedOrNot) {
  const Speaker teacher = stored_speaker("teacher");
  const auto request = teacher.verbalizers->request(/*final_rows=*/true);
  FrozenRows resident(teacher.model, request), streamed(streamed_teacher(), request);
  const std::vector<Batch> batches{load_batch(0), load_batch(1)};
  resident.prepare(batches);
  streamed.prepare(batches);
  for (int round = 0; round < 2; ++round) {  // the second one is computed when it is asked for
    for (const auto& batch : batches) expect_equal(streamed.read(batch), resident.read(batch));
  }
}

TEST(FrozenRows, AreDroppedWhenTheNextIterationIsPrepared) {
  const Speaker teacher = stored_speaker("teacher");
  const auto request = teacher.verbalizers->request(/*final_rows=*/true);
  FrozenRows resident(teacher.model, request), streamed(streamed_teacher(), request);
  streamed.prepare({load_batch(0), load_batch(1)});
  expect_equal(streamed.read(load_batch(0)), resident.read(load_batch(0)));
  streamed.prepare({load_batch(0)});  // an interrupt came before the second batch
  expect_equal(streamed.read(load_batch(0)), resident.read(load_batch(0)));
}

TEST(FrozenRows, AreNotGivenToAnotherBatch) {
  FrozenRows streamed(streamed_teacher(), {});
  streamed.prepare({load_batch(0), load_batch(1)});
  EXPECT_THROW(streamed.read(load_batch(1)), c10::Error);
}

}  // namespace
}  // namespace vlsi
