// Short fingerprints of weights, to tell whether two things were made from the same model.
#pragma once

#include <string>

#include "base/checksum.h"
#include "base/safetensors.h"

namespace vlsi {

/// A fingerprint of tensors that come one by one.
class Fingerprint {
 public:
  void add(const std::string& name, const at::Tensor& tensor);
  void add(const std::string& text) { checksum_.update(text); }
  /// Of everything so far, as `fingerprint` says it.
  std::string text() const { return hexadecimal(checksum_.value()); }

 private:
  Checksum checksum_;
};

/// 16 hexadecimal digits: XXH3 over names, shapes, dtypes and bytes, in the given order.
std::string fingerprint(const NamedTensors& tensors);

}  // namespace vlsi
