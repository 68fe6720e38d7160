// One record as two models are shown it: each by its own processor.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "data/processor.h"
#include "data/sample.h"

namespace vlsi {

struct SamplePair {
  Sample own;                      // what the model that learns is shown
  std::optional<Sample> teachers;  // what the teacher beside it is shown, where its processor makes another thing of it
};

/// In the place of a number of shared ids: all ids mean the same to both.
inline constexpr int64_t kAllIds = std::numeric_limits<int64_t>::max();

/// Makes samples of records for one model, or for a student and a teacher that sees otherwise.
class SampleMaker {
 public:
  /// The processors outlive it. The first `shared_ids` ids mean the same to both tokenizers.
  SampleMaker(const Processor& own) : own_(&own) {}  // NOLINT: a processor is a maker
  SampleMaker(const Processor& student, const Processor& teacher, int64_t shared_ids)
      : own_(&student), teacher_(&teacher), shared_ids_(shared_ids) {}

  /// No picture is decoded of a record that is too long for either model, whatever sizes it asks for. Errors are the
  /// processors' and check_length's, the teacher's after the words "for the teacher"; and one where the
  /// two samples do not have the same answer tokens in order, or one of these is not shared. It has both counts and the
  /// texts of the first tokens that differ.
  SamplePair encode(const Conversation& conversation, int64_t sample_tokens, int64_t batch_tokens) const;
  /// The same of outlines (Processor::outline).
  SamplePair outline(const Conversation& conversation, int64_t sample_tokens, int64_t batch_tokens) const;
  /// Reads the rows that both outlines lack (Processor::fill).
  void fill(const Conversation& conversation, SamplePair& outlines) const;

  const Processor& own() const { return *own_; }
  /// Null where all are shown the same.
  const Processor* teacher() const { return teacher_; }

 private:
  void check_same_answers(const Sample& student, const Sample& teacher) const;

  const Processor* own_;
  const Processor* teacher_ = nullptr;
  int64_t shared_ids_ = 0;
};

}  // namespace vlsi
