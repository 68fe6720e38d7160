// Data files for tests: a temporary folder and records written into it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/errors.h"

namespace vlsi {

/// A folder of the running test, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(testing::TempDir()) /
            ("vlsi-" + std::string(test->test_suite_name()) + "-" + test->name() + "-" + std::to_string(getpid()));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// A record whose question is `question`; `keys` go in front, each with its comma.
inline std::string record(const std::string& question, const std::string& keys = "") {
  return concat("{", keys, R"("conversations": [{"from": "human", "value": ")", question,
                R"("}, {"from": "gpt", "value": "yes"}]})");
}

/// Expects an Error of one line with `part` in it.
#define EXPECT_ERROR(statement, part)                                                     \
  do {                                                                                    \
    const auto message = message_of([&] { statement; });                           \
    EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << (part); \
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;                          \
  } while (false)

}  // namespace vlsi
