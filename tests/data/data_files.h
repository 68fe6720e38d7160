// Records for data files of tests, and one-line errors.
#pragma once

#include <string>

#include "tests/support/files.h"

namespace vlsi {

/// A record whose question is `question`; `keys` go in front, each with its comma.
inline std::string record(const std::string& question, const std::string& keys = "") {
  return concat("{", keys, R"("conversations": [{"from": "human", "value": ")", question,
                R"("}, {"from": "gpt", "value": "yes"}]})");
}

/// Expects an Error of one line with `part` in it.
#define EXPECT_ERROR(statement, part)                                                     \
  do {                                                                                    \
    const auto message = message_of([&] { statement; });                                  \
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << (part); \
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;                          \
  } while (false)

}  // namespace vlsi
