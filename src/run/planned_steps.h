// Which steps a run takes.
#pragma once

#include <string>
#include <vector>

#include "run/config.h"

namespace vlsi {

/// Of "verbalize-student", "verbalize-teacher", "interact" and "finetune", in this order, those that a start with
/// `only` takes. With verbalizers that are given, or a teacher cache that is there, their verbalization is left out.
std::vector<std::string> planned_steps(const RunConfig& config, Only only);

}  // namespace vlsi
