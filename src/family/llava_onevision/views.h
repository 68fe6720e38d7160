// The views of a picture: itself and a grid of crops, and the rows that the model makes of them.
#pragma once

#include <cstdint>

#include "data/sample.h"
#include "family/llava_onevision/config.h"

namespace vlsi {

struct Sides {
  int64_t height = 0, width = 0;

  bool operator==(const Sides&) const = default;
};

/// The grid, in pixels, that a picture of this size is cut in: of the configuration's, the one that keeps most of its
/// pixels, then the one that wastes least, then the first.
Sides select_grid(Sides picture, const LlavaOnevisionConfig& config);

/// The size that a picture is resized to inside its grid: as large as fits, the aspect ratio kept, fractions up.
Sides size_inside(Sides picture, Sides grid);

/// What the layout of a picture's shape holds: the views of its grid, none for a picture that is one view alone, and
/// the part of their patches that the picture fills, its padding cut off at both ends alike.
struct ViewLayout {
  Sides views, filled;
};
ViewLayout layout_of(const PictureShape& picture);

/// Rows and columns of patches that the model reads of the grid: those that are filled, reduced to about the number of
/// patches of max_views where they are more than 1.21 times as many.
Sides kept_patches(Sides filled, const LlavaOnevisionConfig& config);

/// The shape of a picture in a conversation with no other: the whole picture, then the views of its grid. Its rows are
/// those of the whole, and of each row of the kept patches, with one more at its end.
PictureShape shape_of_grid(Sides picture, const LlavaOnevisionConfig& config);

/// The shape of a picture beside others: one view, and one more row at its end.
PictureShape shape_of_view(const LlavaOnevisionConfig& config);

}  // namespace vlsi
