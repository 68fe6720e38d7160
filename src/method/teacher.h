// What the student needs of its teacher: at every answer position, an averaged head row and an entropy a layer.
#pragma once

#include <functional>
#include <memory>

#include "input/batch.h"
#include "model/verbalizer.h"
#include "model/vlm.h"
#include "objective/verbal_kl.h"

namespace vlsi {

/// Anything that yields the summaries of a batch's answer positions: the target layers in order, the last layer behind them.
struct Teacher {
  std::function<TeacherSummary(const Batch&)> summarize;
  std::vector<int64_t> layers;  // its target layers' numbers, for the log
  int64_t vocab_size;           // rows of its language head
};

/// A teacher that runs beside the student. `verbalizers` may be null: then the last layer alone is summarised. The student's head
/// is read when the teacher is called.
Teacher live_teacher(std::shared_ptr<const Vlm> model, std::shared_ptr<const Verbalizers> verbalizers,
                     std::shared_ptr<const Vlm> student);

/// Hidden rows as the language head reads them: the verbalized target layers, then the final rows. [L + 1, N, D]
at::Tensor verbal_rows(const Vlm& model, const Verbalizers* verbalizers, const Batch& batch);

}  // namespace vlsi
