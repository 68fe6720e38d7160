#include "model/fingerprint.h"

#include <ATen/ATen.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdio>

#include "base/error.h"

namespace vlsi {

std::string fingerprint(const NamedTensors& tensors) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const auto& [name, tensor] : tensors) {
    const auto header = concat(name, ' ', tensor.scalar_type(), ' ', tensor.sizes(), '\n');
    XXH3_64bits_update(&state, header.data(), header.size());
    const auto bytes = tensor.detach().cpu().contiguous();
    XXH3_64bits_update(&state, bytes.const_data_ptr(), bytes.nbytes());
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(XXH3_64bits_digest(&state)));
  return text.data();
}

}  // namespace vlsi
