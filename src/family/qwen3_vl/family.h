// Qwen3-VL's entry in the table of families.
#pragma once

#include "family/family.h"

namespace vlsi {

Family qwen3_vl_family();

}  // namespace vlsi
