#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace vlsi {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = spdlog::stderr_color_mt("vlsi");
    made->set_pattern("%^[%l]%$ %v");
    return made;
  }();
  return *instance;
}

}  // namespace

void set_log_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return logger().set_level(spdlog::level::debug);
    case LogLevel::kInfo: return logger().set_level(spdlog::level::info);
    case LogLevel::kWarning: return logger().set_level(spdlog::level::warn);
  }
}

void log_debug(const std::string& message) { logger().debug(message); }
void log_info(const std::string& message) { logger().info(message); }
void log_warning(const std::string& message) { logger().warn(message); }

}  // namespace vlsi
