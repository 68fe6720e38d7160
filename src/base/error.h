// The one exception for causes outside the program: files, data, configuration, requests.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace vlsi {

/// The input is wrong, or the machine cannot do what was asked (disk full, unwritable folder). The message is one line
/// that says the action, the place (path, line, key), what was found and what was expected. `main` prints it and exits
/// with 2. A programmer's mistake is a TORCH_CHECK instead, and never reachable from input.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The parts, streamed one after the other.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

/// Throws Error with the parts as its message.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(concat(parts...));
}

}  // namespace vlsi
