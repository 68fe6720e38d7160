// What the student needs of its teacher: at every answer position, an averaged head row and an entropy a layer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "data/batch.h"
#include "model/vlm.h"
#include "objective/verbal_kl.h"
#include "teacher/frozen_rows.h"
#include "teacher/verbalizers.h"

namespace vlsi {

/// A model's rows at the answer positions, after its verbalizers.
struct VerbalRows {
  at::Tensor layers;          // [L, N, D], of the target layers; undefined without verbalizers
  at::Tensor last;            // [1, N, D], of the last layer, which needs none
  at::Tensor advantage = {};  // [N], as TeacherSummary has it
};

/// `verbalizers` may be null: then the last layer alone is read; `pictures` is for Vlm::forward.
VerbalRows read_layers(const Vlm& model, const Verbalizers* verbalizers, const Batch& batch,
                       PictureFeatures* pictures = nullptr);

/// All of them as the language head reads them, the last layer behind the others, in the verbalizers' dtype.
/// [L + 1, N, D]
at::Tensor joined(const VerbalRows& rows);
at::Tensor verbal_rows(const Vlm& model, const Verbalizers* verbalizers, const Batch& batch,
                       PictureFeatures* pictures = nullptr);

/// check_head_summary of what `model` says of `batch`, at its target layers and the last one, averaging `rows` [V, R];
/// `whose` it is, in messages.
void check_objective(const Vlm& model, const Verbalizers* verbalizers, const at::Tensor& rows, const std::string& whose,
                     const Batch& batch, PictureFeatures* pictures = nullptr);

/// A teacher that runs beside the student: its rows themselves, for losses that no summary carries.
struct RunningTeacher {
  std::function<VerbalRows(const Batch&)> read;  // without gradient
  at::Tensor head;                               // [V, D], of the shared rows
};

/// Anything that yields the summaries of a batch's answer positions: the target layers in order, the last layer behind
/// them.
struct Teacher {
  std::function<TeacherSummary(const Batch&)> summarize;
  std::vector<int64_t> layers;  // its target layers' numbers, for the log
  int64_t shared_rows = 0;      // leading rows of both language heads, whose ids mean the same: what a softmax is over
  std::optional<RunningTeacher> running = std::nullopt;
  /// Called with all micro-batches of an iteration, on any device, before `summarize` is called for the first one, and
  /// then for them in this order; may be empty.
  std::function<void(const std::vector<Batch>&)> prepare = {};
  /// Called with every sample of the student's ahead of its batch, from any thread; Error for one that it cannot
  /// answer. May be empty.
  std::function<void(const Sample&)> read_ahead = {};
};

/// A teacher that runs beside the student, on what it is shown itself (Batch::for_teacher). `verbalizers` may be null:
/// then the last layer alone is summarised. The student's head is read when the teacher is called. `shared_ids`: how
/// many leading ids mean the same to both; all that both heads have a row for, if there are fewer. `pictures` remembers
/// what the teacher's tower makes of them.
Teacher live_teacher(std::shared_ptr<const Vlm> model, std::shared_ptr<const Verbalizers> verbalizers,
                     std::shared_ptr<const Vlm> student, int64_t shared_ids,
                     std::shared_ptr<PictureFeatures> pictures = nullptr);

}  // namespace vlsi
