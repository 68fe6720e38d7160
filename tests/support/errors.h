// What an error says.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace vlsi {

/// The message of the Error that `action` throws; "no error" where it throws none.
inline std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// Expects of `action` an Error of one line that has each of `parts` in it.
inline void expect_error(const std::function<void()>& action, const std::vector<std::string>& parts) {
  const std::string message = message_of(action);
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (const auto& part : parts) EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
}

}  // namespace vlsi
