// What of the student a run trains, told before the first step.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "model/vlm.h"
#include "run/config.h"
#include "run/steps.h"

namespace vlsi {

/// For each of `steps` that trains the student: {"step", "parts": [{"part", "tensors", "parameters", "share"}]}, the
/// share of all parameters of the model, adapters included; and {"lora": {module: number of adapters}}, in the order of
/// a layer's maps, where the student has adapters. docs/formats.md.
OrderedJson learning_json(const RunConfig& config, const Vlm& student, const std::vector<StepKind>& steps);

/// The same in a line for each step and one for the adapters.
std::vector<std::string> learning_lines(const OrderedJson& learning);

}  // namespace vlsi
