// Messages to stderr, with the level coloured on a terminal.
#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

namespace vlsi {
namespace {

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("vlsi", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made.set_pattern("%H:%M:%S %^%l%$ %v");
    made.set_level(spdlog::level::info);
    return made;
  }();
  return instance;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  return level == LogLevel::kInfo ? spdlog::level::info : spdlog::level::warn;
}

}  // namespace

void set_log_level(LogLevel level) { logger().set_level(spdlog_level(level)); }

void set_log_origin(const std::string& origin) { logger().set_pattern("%H:%M:%S %^%l%$ " + origin + ": %v"); }

bool log_shows(LogLevel level) { return logger().should_log(spdlog_level(level)); }

void log_info(const std::string& message) { logger().log(spdlog::level::info, message); }

void log_warning(const std::string& message) { logger().log(spdlog::level::warn, message); }

}  // namespace vlsi
