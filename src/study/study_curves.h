// Learning curves and matches of a study's variants, over their seeds, for the page.
#pragma once

#include "base/json.h"
#include "study/study_results.h"

namespace vlsi {

/// The numbers that runs log, in at most 60 stretches of a step's iterations: the mean of each over a variant's seeds,
/// and one sample's standard deviation below and above it. [{"step", "key", "lines": [{"variant", "title", "x", "mean",
/// "low", "high"}]}]; `low` and `high` are null where there is one seed.
OrderedJson study_curves(const StudyConfig& study, const std::vector<VariantResult>& results);

/// How the matches of a student layer are shared among teacher layers in the first and in the second half of the
/// interaction, all seeds together: [{"variant", "title", "student_layers", "teacher_layers", "early", "late"}], shares
/// [t_s][t_l]; a row without matches is all zeros. Variants without matches are left out.
OrderedJson study_matches(const StudyConfig& study, const std::vector<VariantResult>& results);

}  // namespace vlsi
