// Qwen2-VL, for the table of families.
#pragma once

#include "family/family.h"

namespace vlsi {

Family qwen2_vl_family();

}  // namespace vlsi
