// Records of a file that are read together.
#pragma once

#include <cstdint>

namespace vlsi {

struct Stretch {
  int64_t end;        // its last record + 1
  int64_t num_bytes;  // in memory, about
};

}  // namespace vlsi
