// PEFT's adapter_config.json: which linear maps have a low-rank adapter, of which rank and scale.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace vlsi {

/// PEFT's way to name modules: a list of names, each of which stands for every module path that it is the end of, or
/// one regular expression for whole paths.
class ModuleNames {
 public:
  ModuleNames() = default;
  /// Error naming `place` for anything but a list of strings or a valid expression.
  ModuleNames(const Json& json, const std::string& place);

  bool contains(const std::string& path) const;

 private:
  std::vector<std::string> names_;
  std::string expression_;  // empty: the names
};

/// The paths that the namings of a family have for one module: "model.layers.0.self_attn.q_proj", ...
using ModulePaths = std::vector<std::string>;

/// The adapters that a file describes, which may name modules in any of their family's namings.
class AdapterConfig {
 public:
  /// Error naming `place` and key for other methods than LoRA, variants of it that compute something else (DoRA,
  /// biases, trained copies of whole modules, initialisations that change the base model), unknown keys that ask for
  /// something, and values that cannot be.
  static AdapterConfig parse(const Json& json, const std::string& place);

  bool targets(const ModulePaths& module) const;
  int64_t rank(const ModulePaths& module) const;
  /// What the adapter's output is multiplied by: alpha / rank, or alpha / sqrt(rank) where the file asks for it.
  double scale(const ModulePaths& module) const;

 private:
  bool is_in_chosen_layer(const std::string& path) const;

  ModuleNames targets_, excluded_;
  std::optional<std::set<int64_t>> layers_;  // by number; none: all
  std::vector<std::string> layer_lists_;     // expressions for what stands before the number; empty: anything
  int64_t rank_ = 8;
  double alpha_ = 8;
  bool divides_by_root_ = false;
  std::vector<std::pair<std::string, int64_t>>
      rank_pattern_;  // expressions for the end of a path; the first that fits counts
  std::vector<std::pair<std::string, double>> alpha_pattern_;
};

}  // namespace vlsi
