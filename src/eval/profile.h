// Whose rules a benchmark is asked and scored by: the communities disagree on the same answer.
#pragma once

#include <string>

#include "base/table.h"
#include "eval/scoring/option_matcher.h"

namespace vlsi {

enum class Community {
  kVlmEvalKit,
  kLmms,      // lmms-eval
  kOfficial,  // the benchmark's authors
  kVlsi       // the evaluator of the method's authors
};

struct Profile {
  std::string name, meaning;
  Community community;
  Matcher matcher = Matcher::k2026June;  // of VLMEvalKit
  bool fixed = true;                     // lmms-eval 0.7.3; else 75571cfe, whose errors that version repaired
};

/// A community's first profile is its newest rules. The first of all is the default.
Table<Profile>& profiles();
using ChosenProfile = Choice<Profile, profiles>;

}  // namespace vlsi
