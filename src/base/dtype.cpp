#include "base/dtype.h"

#include <c10/util/Exception.h>

namespace vlsi {

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat: return "float32";
    case at::kBFloat16: return "bfloat16";
    case at::kHalf: return "float16";
    default: TORCH_CHECK(false, "no name for dtype ", dtype);
  }
}

std::optional<StoredDtype> StoredDtype::parse(const std::string& text) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    if (dtype_name(dtype) == text) return StoredDtype{dtype};
  }
  return std::nullopt;
}

std::optional<Dtype> Dtype::parse(const std::string& text) {
  const auto stored = StoredDtype::parse(text);
  return stored && *stored != at::kHalf ? std::optional(Dtype{*stored}) : std::nullopt;
}

}  // namespace vlsi
