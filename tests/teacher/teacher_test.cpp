// A streamed teacher against a resident one.
#include "teacher/teacher.h"

#include <ATen/ATen.h>

#include "tests/method/method_fixture.h"

namespace vlsi {
namespace {

using method_fixture::load_batch;
using method_fixture::stored_speaker;

TEST(StreamedTeacher, SummarizesAsAResidentOne) {
  const Speaker student = stored_speaker("student"), teacher = stored_speaker("teacher");
  const auto resident = live_teacher(teacher.model, teacher.verbalizers, student.model, kAllIds);
  const auto model = load_vlm(method_fixture::kFolder / "teacher", at::kFloat, at::kCPU, Residency::kStreamed);
  const auto streamed = live_teacher(model, teacher.verbalizers, student.model, kAllIds);
  streamed.prepare({load_batch(0), load_batch(1)});
  for (const int i : {0, 1}) {
    const auto found = streamed.summarize(load_batch(i)), expected = resident.summarize(load_batch(i));
    EXPECT_TRUE(at::equal(found.expected_row, expected.expected_row));
    EXPECT_TRUE(at::equal(found.entropy, expected.entropy));
  }
}

}  // namespace
}  // namespace vlsi
