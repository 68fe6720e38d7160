#include "tests/device/stand_in_streams.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace vlsi::stand_in {
namespace {

thread_local int64_t stream_of_thread = 0;
std::mutex mutex;
std::array<Clock, kNumStreams> clocks{};

}  // namespace

int64_t current_stream() { return stream_of_thread; }
int64_t exchange_stream(int64_t stream) { return std::exchange(stream_of_thread, stream); }

Clock clock_of(int64_t stream) {
  const std::lock_guard lock(mutex);
  return clocks[stream];
}

void wait_for(int64_t stream, const Clock& event) {
  const std::lock_guard lock(mutex);
  for (int64_t i = 0; i < kNumStreams; ++i) clocks[stream][i] = std::max(clocks[stream][i], event[i]);
}

Uses begin_uses() {
  const std::lock_guard lock(mutex);
  Uses uses;
  uses.owner = uses.last_stream = current_stream();
  uses.last_time = clocks[uses.owner][uses.owner];
  return uses;
}

void use(Uses& uses) {
  const std::lock_guard lock(mutex);
  const auto stream = current_stream();
  TORCH_CHECK(clocks[stream][uses.last_stream] >= uses.last_time, "stream ", stream, " uses memory that stream ",
              uses.last_stream, " may still be working on");
  uses.last_stream = stream;
  uses.last_time = ++clocks[stream][stream];
  uses.users.set(stream);
}

void end(const Uses& uses) {
  auto others = uses.users & ~uses.announced;
  others.reset(uses.owner);
  if (others.none()) return;
  std::fprintf(stderr, "memory of stream %d is freed while another stream may use it\n", static_cast<int>(uses.owner));
  std::abort();
}

}  // namespace vlsi::stand_in
