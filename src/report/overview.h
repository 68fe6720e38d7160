// Models on benchmarks, for the page's overview: results beside the paper's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace vlsi {

struct OverviewOptions {
  std::vector<std::string> results;  // folders, as read_model_results takes them
  bool with_paper = false;
};

/// The best possible score: points of a benchmark that counts them, else 100 per cent.
int64_t full_score(const std::string& benchmark);

/// The page's `overview` (docs/formats.md, "Report data"); null where nothing is asked for. Errors as
/// read_model_results.
OrderedJson overview_json(const OverviewOptions& options);

}  // namespace vlsi
