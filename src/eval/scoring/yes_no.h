// What a reply to a yes-or-no question says, by each community's rule.
#pragma once

#include "text/python/python_text.h"

namespace vlsi {

enum class YesNo { kYes, kNo, kNeither };

/// YOrN_Extraction of VLMEvalKit: of the words yes and no, one and not the other.
YesNo yes_no_by_words(TextView reply);

/// POPE's authors: no where the first sentence has the word "No", "no" or "not", else yes.
YesNo yes_no_of_pope(TextView reply);

/// MME's authors: yes or no among the first four characters, case-blind.
YesNo yes_no_of_mme(TextView reply);

/// MME by lmms-eval: white space and points go first, and a single y or n counts.
YesNo yes_no_of_mme_lmms(TextView reply);

/// POPE by lmms-eval: the reply is yes or no, but for case and white space.
YesNo yes_no_exactly(TextView reply);

/// HallusionBench by the evaluator of the method's authors: yes where these letters are anywhere, else no.
YesNo yes_anywhere(TextView reply);

}  // namespace vlsi
