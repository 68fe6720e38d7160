// Whether the two models of a run fit together.
#pragma once

#include <string>
#include <vector>

#include "data/processor.h"
#include "model/config.h"
#include "run/config.h"

namespace vlsi {

/// Error unless the teacher shares the student's vocabulary, reads the same pictures, and has its target layers. Reads
/// the teacher's configuration and tokenizer alone.
void check_pair(const RunConfig& config, const Processor& student_processor, const ModelConfig& student);

/// Error when the last of `layers`, the key `key`'s, is above what the model has.
void check_layers(const std::vector<int64_t>& layers, const ModelConfig& model, const char* key,
                  const std::string& place);

/// Error naming `place` when interact.train changes the student's head, but logits are compared, or the teacher is read
/// from a cache, which holds averages of the head's rows.
void check_head_stays(const InteractConfig& config, const ModelConfig& student, const std::string& place,
                      bool cached_teacher = false);

}  // namespace vlsi
