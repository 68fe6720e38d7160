// JSON with bytes in it, to compare and to print.
#pragma once

#include <string_view>

#include "base/base64.h"
#include "base/json.h"

namespace vlsi {

/// `value` with bytes as {"base64": …}.
inline Json without_binary(const Json& value) {
  if (value.is_binary()) {
    const auto& bytes = value.get_binary();
    return {{"base64", base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()})}};
  }
  if (!value.is_structured()) return value;
  Json result = value;
  for (auto& one : result) one = without_binary(one);
  return result;
}

}  // namespace vlsi
