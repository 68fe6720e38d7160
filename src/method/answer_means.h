// Means over answer positions, with and without the end of turn. (S layers, N answer positions)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "data/batch.h"
#include "train/metrics.h"

namespace vlsi {

/// `values` [..., N], each position's times the weight of its label.
at::Tensor weighted(const at::Tensor& values, const Batch& batch);

/// Adds the weighted mean of `losses` [S, N] (or [N]) over all positions as `name`, and over those whose label is a
/// word of the answer as `name`_words: the end of turn is nearly certain and would halve the mean of a one-word answer.
void add_answer_means(std::map<std::string, Mean>& means, const std::string& name, const at::Tensor& losses,
                      const Batch& batch, int32_t end_of_turn);

}  // namespace vlsi
