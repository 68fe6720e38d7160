// The interpolated positions; the tower itself is compared in tests/model/vlm_test.cpp. Expected values:
// tests/oracle/make_vision_fixture.py.
#include "family/qwen3_vl/tower.h"

#include "tests/model/fixtures.h"

namespace vlsi {
namespace {

using fixtures::difference;

TEST(InterpolatedPositions, AreTheReferencesForSidesOfEveryKind) {
  const auto file = SafetensorsFile::open(VLSI_TEST_DATA "/qwen3_vl/position_tables.safetensors");
  for (const int side : {1, 2, 5, 7, 48}) {
    SCOPED_TRACE(side);
    const auto tensor = [&](const char* name) { return file->tensor(concat(side, ".", name)); };
    const auto grids = fixtures::integers(tensor("grids"));
    std::vector<PictureShape> pictures;
    for (size_t i = 0; i < grids.size(); i += 3) {
      pictures.push_back(shape_of({grids[i], grids[i + 1], grids[i + 2]}, /*merge=*/2));
    }
    // Four products of values around one in float32.
    EXPECT_LE(difference(interpolated_positions(tensor("weight"), pictures, /*merge=*/2), tensor("rows")), 1e-6);
  }
}

}  // namespace
}  // namespace vlsi
