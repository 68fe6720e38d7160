#include "ranks/launch.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/error.h"

namespace vlsi {
namespace {

constexpr int64_t kMostRanks = 1 << 16;
constexpr const char* kHow = "start the ranks with torchrun --no-python --nproc-per-node N vlsi ...";

const char* text_of(const Environment& environment, const char* name) {
  const char* text = environment(name);
  if (text == nullptr || *text == '\0') fail("starting as one of several ranks: ", name, " is not set; ", kHow);
  return text;
}

int64_t number_of(const Environment& environment, const char* name, int64_t least, int64_t most) {
  const std::string_view text = text_of(environment, name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    fail("starting as one of several ranks: ", name, " is '", text, "', expected ", least, " to ", most, "; ", kHow);
  }
  return value;
}

}  // namespace

std::optional<Launch> read_launch(const Environment& environment) {
  if (environment("WORLD_SIZE") == nullptr) return std::nullopt;
  Launch launch{};
  launch.size = number_of(environment, "WORLD_SIZE", 1, kMostRanks);
  if (launch.size == 1) return std::nullopt;
  launch.rank = number_of(environment, "RANK", 0, launch.size - 1);
  launch.local_rank =
      environment("LOCAL_RANK") == nullptr ? 0 : number_of(environment, "LOCAL_RANK", 0, launch.size - 1);
  launch.address = text_of(environment, "MASTER_ADDR");
  launch.port = static_cast<uint16_t>(number_of(environment, "MASTER_PORT", 1, 65535));
  const char* agent = environment("TORCHELASTIC_USE_AGENT_STORE");
  launch.launcher_has_store = agent != nullptr && std::strcmp(agent, "True") == 0;
  const char* attempt = environment("TORCHELASTIC_RESTART_COUNT");
  launch.attempt = attempt == nullptr ? "0" : attempt;
  return launch;
}

std::optional<Launch> read_launch() {
  return read_launch([](const char* name) -> const char* { return std::getenv(name); });
}

}  // namespace vlsi
