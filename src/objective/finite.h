// Rows that are not numbers are found where they appear, with their layer and sample. (S layers, N answer positions)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/batch.h"

namespace vlsi {

/// What messages call the layers of `whose` model: "student layer 6", and "the student's last layer" where `with_last`.
std::vector<std::string> layer_names(const std::string& whose, const std::vector<int64_t>& layers, bool with_last);

/// Error naming the layer (`names` [S]) and the sample of the first of `values` [S, N] that is NaN or infinite. `what`
/// they are.
void check_finite(const at::Tensor& values, const std::string& what, const std::vector<std::string>& names,
                  const Batch& batch);

/// A check of values on a device whose outcome the host has not waited for.
struct PendingCheck {
  at::Tensor passed;             // [] bool, on the device
  std::function<void()> report;  // throws the Error of a check that failed
};

/// The same of values on the CPU. On a device, the check is put behind `pending`, and nobody waits.
void check_finite(const at::Tensor& values, const std::string& what, const std::vector<std::string>& names,
                  const Batch& batch, std::vector<PendingCheck>& pending);

/// Waits for the checks. The Error of the first one that failed.
void settle(const std::vector<PendingCheck>& pending);

}  // namespace vlsi
