// Several runs side by side: what each of them is, and the scores of those that are the same but for their seed.
#pragma once

#include <vector>

#include "base/json.h"
#include "report/run_data.h"

namespace vlsi {

/// One row a kind of run, in the order of the runs: [{"label", "runs": [index], "score": {"mean", "deviation", "count"}
/// or null, "full": the best possible score or null, "categories": {NAME: as score}, "seconds", "peak_memory_bytes",
/// "validation_loss": the same or null}].
///
/// A run whose result another one distils from is "teacher"; one whose result another one starts from is "student
/// before"; others are named by their method. Runs of one name and one configuration, seed and paths aside, are one
/// row; `deviation` is the sample's standard deviation, null for a single run. `runs` holds each run's to_json.
OrderedJson compare_runs(const std::vector<const RunData*>& data, const OrderedJson& runs);

}  // namespace vlsi
