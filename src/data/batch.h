// A micro-batch: samples laid end to end in one sequence, never padded. (B samples, T tokens, N answer positions)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/sample_pair.h"

namespace vlsi {

struct Batch {
  std::vector<std::string> ids;               // [B]
  std::vector<uint64_t> sample_fingerprints;  // [B], by which a sample is known again, whatever its place and id
  std::vector<int64_t> order;                 // [B], which of the packed samples each one was
  at::Tensor tokens;                          // [T] int64
  at::Tensor positions;                       // [A, T] int64, on each axis of the rotary positions
  std::vector<int64_t> sequence_starts;       // [B + 1], token offsets; attention never crosses them
  at::Tensor answer_positions;                // [N] int64, offsets into the T tokens
  at::Tensor labels;                          // [N] int64
  at::Tensor label_weights;                   // [N] f32, of each label's loss; undefined: 1 each
  std::vector<int32_t> next_positions;        // [B], of the token after each sample, on every axis
  std::vector<int64_t> answer_starts;         // [B + 1], offsets into the N answer positions
  at::Tensor patches;                         // [P, C] f32, of all pictures; undefined without, and of outlines
  std::vector<PictureShape> pictures;         // of each picture
  std::vector<uint64_t> fingerprints;         // of each picture's patches: equal pictures have equal ones
  at::Tensor image_token_positions;           // [M] int64, offsets into the T tokens

  std::shared_ptr<const Batch> teachers;  // the same samples, in the same order, as the teacher is shown them; null: so

  /// What the teacher is shown; its answer positions are these, one for one.
  const Batch& for_teacher() const { return teachers ? *teachers : *this; }
  int64_t num_samples() const { return static_cast<int64_t>(ids.size()); }
  int64_t num_tokens() const { return sequence_starts.back(); }
  int64_t num_answers() const { return answer_starts.back(); }
  /// Of all labels, added up: what the sum of their weighted losses is divided by.
  double sum_of_weights() const;
};

/// Lays the samples end to end, ordered by length (stable), so that equally long ones are neighbours and share one
/// attention call. Tensors are on the CPU. At least one sample. A batch of outlines has no patches and no fingerprints:
/// it can be counted, not computed on.
Batch pack(const std::vector<Sample>& samples);
/// The same of the models' own samples, with the teacher's beside them where there are any: for all pairs or for none.
Batch pack_pairs(const std::vector<SamplePair>& pairs);

/// The same batch with its tensors, the teacher's among them, on `device`; but for the labels' weights, whose sum the
/// host needs.
Batch to_device(Batch batch, at::Device device);

}  // namespace vlsi
