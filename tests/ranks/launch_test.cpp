// What the launcher's variables say, and what is wrong with them.
#include "ranks/launch.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/errors.h"

namespace vlsi {
namespace {

using Variables = std::map<std::string, std::string>;

const Variables kTorchrun{
    {"RANK", "3"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "host"}, {"MASTER_PORT", "29500"}};

std::optional<Launch> launch_of(const Variables& variables) {
  return read_launch([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Launch, IsWhatTheLauncherSays) {
  const auto launch = launch_of(kTorchrun);
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->rank, 3);
  EXPECT_EQ(launch->size, 4);
  EXPECT_EQ(launch->local_rank, 1);
  EXPECT_EQ(launch->address, "host");
  EXPECT_EQ(launch->port, 29500);
  EXPECT_FALSE(launch->launcher_has_store);
}

TEST(Launch, TakesTheLaunchersStoreAndItsRestartsForNew) {
  auto variables = kTorchrun;
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  variables["TORCHELASTIC_RESTART_COUNT"] = "2";
  variables.erase("LOCAL_RANK");
  const auto launch = launch_of(variables);
  EXPECT_TRUE(launch->launcher_has_store);
  EXPECT_EQ(launch->attempt, "2");
  EXPECT_EQ(launch->local_rank, 0);
}

TEST(Launch, IsNoneWithoutALauncherOrForOneProcess) {
  EXPECT_FALSE(launch_of({}));
  EXPECT_FALSE(launch_of({{"RANK", "7"}}));
  EXPECT_FALSE(launch_of({{"WORLD_SIZE", "1"}}));
}

TEST(Launch, NamesTheVariableThatCannotBe) {
  const auto error_with = [](const std::string& name, const char* value) {
    auto variables = kTorchrun;
    variables.erase(name);
    if (value != nullptr) variables[name] = value;
    return message_of([&] { launch_of(variables); });
  };
  for (const char* name : {"RANK", "MASTER_ADDR", "MASTER_PORT"}) {
    EXPECT_NE(error_with(name, nullptr).find(std::string(name) + " is not set; start the ranks with torchrun"),
              std::string::npos);
    EXPECT_NE(error_with(name, "").find(std::string(name) + " is not set"), std::string::npos);
  }
  const std::vector<std::pair<const char*, const char*>> bad{
      {"RANK", "4"},        {"RANK", "-1"},      {"RANK", "two"},      {"WORLD_SIZE", "0"},
      {"WORLD_SIZE", "4x"}, {"LOCAL_RANK", "4"}, {"MASTER_PORT", "0"}, {"MASTER_PORT", "65536"}};
  for (const auto& [name, value] : bad) {
    EXPECT_NE(error_with(name, value).find(std::string(name) + " is '" + value + "', expected "), std::string::npos)
        << error_with(name, value);
  }
}

}  // namespace
}  // namespace vlsi
