// A sample whose last answer is another one, and the prompt of that answer.
#pragma once

#include <cstdint>
#include <vector>

#include "data/sample.h"

namespace vlsi {

/// Where the sample's last answer begins: an index into its answer positions, of which there is at least one.
/// Positions that follow one another without a gap are one answer's.
int64_t begin_of_last_answer(const Sample& sample);

/// What stands in front of answer position number `begin`'s label, pictures among it, as Processor::encode_prompt has
/// it: its last token is the only answer position, and there are no labels.
Sample prompt_of(const Sample& sample, int64_t begin);

/// The prompt followed by the tokens of `answer`, one or more, its end of turn among them if it has one. They are the
/// sample's labels, and the only ones, with the weight of label `begin`.
Sample with_answer(const Sample& sample, int64_t begin, const std::vector<int32_t>& answer);

}  // namespace vlsi
