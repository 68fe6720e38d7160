// In which keys two configurations differ.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

namespace vlsi {

/// The keys whose values differ between two configurations, with both values, those of the same values together:
/// "seed: 1, now 2; optimizer.eps, finetune.optimizer.eps: 1e-08, now nothing". Empty when there are none, however the
/// two are written. Of `free_keys`, the values play no part.
std::string settings_difference(const YAML::Node& before, const YAML::Node& now,
                                const std::vector<std::string>& free_keys = {});

}  // namespace vlsi
