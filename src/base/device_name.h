// Devices by the names that settings and options have for them.
#pragma once

#include <c10/core/Device.h>

#include <optional>
#include <string>

namespace vlsi {

/// A device that there may be; whether it is here is another question.
struct DeviceName {
  at::Device value = at::kCPU;

  static std::optional<DeviceName> parse(const std::string& text);
  static std::string expected() { return "cpu, cuda or cuda:N"; }
  std::string text() const { return value.str(); }
  operator at::Device() const { return value; }
};

}  // namespace vlsi
