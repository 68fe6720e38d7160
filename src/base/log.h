// Messages to stderr for whoever runs the program. The library logs only progress and notes; errors are thrown.
#pragma once

#include <string>

namespace vlsi {

enum class LogLevel { kInfo, kWarning };

/// Messages below `level` are dropped. Set once, by the program.
void set_log_level(LogLevel level);

/// Messages begin with `origin` from now on, as "rank 1". Set once, by the program.
void set_log_origin(const std::string& origin);
/// Whether messages of `level` are shown.
bool log_shows(LogLevel level);

void log_info(const std::string& message);
void log_warning(const std::string& message);

}  // namespace vlsi
