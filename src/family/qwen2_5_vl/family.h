// Qwen2.5-VL's entry in the table of families.
#pragma once

#include "family/family.h"

namespace vlsi {

Family qwen2_5_vl_family();

}  // namespace vlsi
