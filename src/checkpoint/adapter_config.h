// PEFT's adapter_config.json: which linear maps have a low-rank adapter, of which rank and scale.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/regex.h"

namespace vlsi {

/// PEFT's way to name modules: a list of names, each of which stands for every module path that it is the end of, or
/// one regular expression for whole paths.
class ModuleNames {
 public:
  ModuleNames() = default;
  /// Error naming `place` for anything but a list of strings or a valid expression.
  ModuleNames(const Json& json, const std::string& place);

  bool contains(const std::string& path) const;
  bool is_expression() const { return expression_.has_value(); }

 private:
  std::vector<std::string> names_;
  std::optional<Regex> expression_;  // none: the names
};

/// The adapters that a file describes. A path is that of a module in the naming that the file speaks of:
/// "model.layers.0.self_attn.q_proj".
class AdapterConfig {
 public:
  /// Of the file's text, since patterns count in its order. Error naming `place` and key for other methods than LoRA,
  /// variants of it that compute something else (DoRA, biases, trained copies of whole modules, initialisations that
  /// change the base model), unknown keys that ask for something, and values that cannot be.
  static AdapterConfig parse(std::string_view text, const std::string& place);

  bool targets(const std::string& path) const;
  /// Whether the targets are an expression, which may fit more modules than have an adapter; names are exact.
  bool is_by_expression() const { return targets_.is_expression(); }
  int64_t rank(const std::string& path) const;
  /// What the adapter's output is multiplied by: alpha / rank, or alpha / sqrt(rank) where the file asks for it.
  double scale(const std::string& path) const;

 private:
  bool is_in_chosen_layer(const std::string& path) const;

  ModuleNames targets_, excluded_;
  std::optional<std::set<int64_t>> layers_;  // by number; none: all
  std::vector<Regex> before_layer_;          // of a path up to a layer's number
  int64_t rank_ = 8;
  double alpha_ = 8;
  bool divides_by_root_ = false;
  std::vector<std::pair<Regex, int64_t>> rank_pattern_;  // for whole paths; the first that fits counts
  std::vector<std::pair<Regex, double>> alpha_pattern_;
};

}  // namespace vlsi
