// How files name a family's weights, and what they are called here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vlsi {

/// One naming of a family's files. Parameters of this program begin with their part: `vision.`, `projector.`,
/// `embeddings.`, `decoder.`, `head.`.
struct WeightNames {
  std::string_view name;
  /// Stored, own; the first that fits counts. What has no own prefix is known and not needed.
  std::vector<std::pair<std::string_view, std::string_view>> prefixes;
};

/// What a stored tensor, or a module, is called here: an empty name where it is not needed, nothing where the naming
/// does not have it.
std::optional<std::string> own_name(const WeightNames& names, std::string_view stored);

/// What a file calls a parameter, or a module, of this program. Every own name has a prefix in `names`.
std::string stored_name(const WeightNames& names, std::string_view own);

}  // namespace vlsi
