#include "checkpoint/fingerprint.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "model/quantized_weight.h"

namespace vlsi {

void Fingerprint::add(const std::string& name, const at::Tensor& tensor) {
  TORCH_CHECK(has_values(tensor), name, " has no values to know it by: it is quantised");
  checksum_.update(concat(name, ' ', tensor.scalar_type(), ' ', tensor.sizes(), '\n'));
  const auto bytes = tensor.detach().cpu().contiguous();
  checksum_.update(std::span(static_cast<const std::byte*>(bytes.const_data_ptr()), bytes.nbytes()));
}

std::string fingerprint(const NamedTensors& tensors) {
  Fingerprint of_all;
  for (const auto& [name, tensor] : tensors) of_all.add(name, tensor);
  return of_all.text();
}

}  // namespace vlsi
