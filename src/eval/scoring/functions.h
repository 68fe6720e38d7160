// The scoring functions under the names of the programs that have them, over JSON: for test vectors.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace vlsi {

/// What the function `name` (VLMEvalKit's, lmms-eval's, a benchmark's authors', or those of the evaluator of the
/// method's authors; a remark in brackets behind the name is passed over) gives for `args`. "__RANDOM__" stands for a
/// guess, "__JUDGE__" for a judge's answer, null for what the function leaves open. Empty for a name that is not known;
/// Error naming `place` and the argument that is missing or of another type.
std::optional<Json> call_scoring_function(std::string_view name, const Json& args, const std::string& place);

}  // namespace vlsi
