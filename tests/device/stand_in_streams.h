// The streams of the stand-in device. Its work is done when it has been asked for, so the order of streams is kept by
// clocks: a use of memory that another stream last used is an error, unless an event came between them.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

namespace vlsi::stand_in {

inline constexpr int64_t kNumStreams = 2;  // one that computes, one for copies

/// This thread's.
int64_t current_stream();
int64_t exchange_stream(int64_t stream);

/// What a stream has done and waited for, of each stream.
using Clock = std::array<int64_t, kNumStreams>;
Clock clock_of(int64_t stream);
/// `stream` waits for all that `event` had seen.
void wait_for(int64_t stream, const Clock& event);

/// Of a piece of memory.
struct Uses {
  int64_t owner = 0;                          // the stream that it was taken on
  int64_t last_stream = 0, last_time = 0;     // of the last use
  std::bitset<kNumStreams> users, announced;  // streams that used it; that the allocator was told of
};
Uses begin_uses();
/// Throws where the last use may be under way.
void use(Uses& uses);
/// Ends the program where another stream than the owner used it, of which the allocator was not told: it would give
/// the memory away while it is in use.
void end(const Uses& uses);

}  // namespace vlsi::stand_in
