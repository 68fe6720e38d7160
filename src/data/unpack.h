// A batch taken apart into its samples.
#pragma once

#include <vector>

#include "data/batch.h"

namespace vlsi {

/// The samples of a batch on the CPU, in its order, with the teacher's beside them where it is shown its own: packed
/// again, they are the same batch. Categories are not kept; patches are views of the batch's.
std::vector<SamplePair> unpack_pairs(const Batch& batch);

}  // namespace vlsi
