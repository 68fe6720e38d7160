// In which keys two configurations differ.
#pragma once

#include <string>

#include <yaml-cpp/yaml.h>

namespace vlsi {

/// The keys whose values differ between two configurations, with both values, those of the same values together:
/// "seed: 1, now 2; optimizer.eps, finetune.optimizer.eps: 1e-08, now nothing". Empty when there are none, however the two are written.
std::string settings_difference(const YAML::Node& before, const YAML::Node& now);

}  // namespace vlsi
