// LLaVA-OneVision, for the table of families.
#pragma once

#include "family/family.h"

namespace vlsi {

Family llava_onevision_family();

}  // namespace vlsi
