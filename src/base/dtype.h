// Types of numbers by the names that settings, options and files have for them.
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string>

namespace vlsi {

/// "float32", "bfloat16" or "float16"; no other type has a name.
std::string dtype_name(at::ScalarType dtype);

/// Of weights and activations at work.
struct Dtype {
  at::ScalarType value = at::kFloat;

  static std::optional<Dtype> parse(const std::string& text);
  static std::string expected() { return "float32 or bfloat16 (float16 overflows in training)"; }
  std::string text() const { return dtype_name(value); }
  operator at::ScalarType() const { return value; }
};

/// Of weights in a file.
struct StoredDtype {
  at::ScalarType value = at::kFloat;

  static std::optional<StoredDtype> parse(const std::string& text);
  static std::string expected() { return "float32, bfloat16 or float16"; }
  std::string text() const { return dtype_name(value); }
  operator at::ScalarType() const { return value; }
};

}  // namespace vlsi
