#include "eval/profile.h"

namespace vlsi {

Table<Profile>& profiles() {
  static Table<Profile> table{
      {"vlmevalkit", "VLMEvalKit e8e78f05", Community::kVlmEvalKit},
      {"vlmevalkit@2025-08", "VLMEvalKit's option matcher of August 2025", Community::kVlmEvalKit,
       Matcher::k2025August},
      {"vlmevalkit@2024", "VLMEvalKit's option matcher of 2024", Community::kVlmEvalKit, Matcher::k2024},
      {"lmms", "lmms-eval 0.7.3", Community::kLmms},
      {"lmms@75571cfe",
       "lmms-eval 75571cfe: BLINK takes the first letter of any word, MMMU's open questions never count",
       Community::kLmms, Matcher::k2026June, false},
      {"official", "the benchmark's authors", Community::kOfficial},
      {"vlsi", "the evaluator of the method's authors", Community::kVlsi}};
  return table;
}

}  // namespace vlsi
