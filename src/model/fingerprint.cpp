#include "model/fingerprint.h"

#include <ATen/ATen.h>

#include "base/checksum.h"
#include "base/error.h"

namespace vlsi {

std::string fingerprint(const NamedTensors& tensors) {
  Checksum checksum;
  for (const auto& [name, tensor] : tensors) {
    checksum.update(concat(name, ' ', tensor.scalar_type(), ' ', tensor.sizes(), '\n'));
    const auto bytes = tensor.detach().cpu().contiguous();
    checksum.update(std::span(static_cast<const std::byte*>(bytes.const_data_ptr()), bytes.nbytes()));
  }
  return hexadecimal(checksum.value());
}

}  // namespace vlsi
