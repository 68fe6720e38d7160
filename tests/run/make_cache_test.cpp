#include "run/make_cache.h"

#include "tests/teacher/cache_fixture.h"

namespace vlsi {
namespace {

using namespace cache_fixture;

TEST(CheckRoom, SaysHowMuchIsMissing) {
  EXPECT_NO_THROW(check_room(100, 100, "somewhere"));
  expect_error([] { check_room(int64_t{3} << 30, int64_t{1} << 30, "somewhere"); },
               {"in somewhere", "needs 3.0 GiB", "only 1.0 GiB are free", "--out"});
}

}  // namespace
}  // namespace vlsi
