// Remembers the token ids of short words.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace vlsi {

/// A fixed table of words that are never replaced, apart from IndexTable because several threads fill it without a
/// lock: the first words of a text are on the whole its frequent ones, and a slot that is written once can be read
/// without a lock. May be used from several threads at once.
class WordCache {
 public:
  static constexpr size_t kMaxBytes = 31;

  /// A word padded with zeros, its length in the last byte: compared as four numbers.
  struct Key {
    /// `word` is at most kMaxBytes long.
    explicit Key(std::string_view word) {
      char bytes[32] = {};
      std::memcpy(bytes, word.data(), word.size());
      bytes[kMaxBytes] = static_cast<char>(word.size());
      std::memcpy(parts.data(), bytes, sizeof bytes);
    }
    Key() = default;
    bool operator==(const Key&) const = default;

    std::array<uint64_t, 4> parts{};
  };

  WordCache();

  /// Appends the ids of the word if they are known.
  bool append(const Key& key, std::vector<int32_t>& ids) const;
  /// Remembers the ids, unless there are too many or the places for this word are taken.
  void insert(const Key& key, std::span<const int32_t> ids);

 private:
  static constexpr int kSlotBits = 16;
  static constexpr int kNumProbes = 4;
  static constexpr size_t kMaxIds = 7;
  enum State : uint8_t { kFree, kBeingWritten, kReady };

  struct alignas(64) Slot {
    Key key;
    std::array<int32_t, kMaxIds> ids;
    std::atomic<uint8_t> state{kFree};
    uint8_t num_ids = 0;
  };

  static size_t first_slot(const Key& key);

  std::unique_ptr<Slot[]> slots_;
};

}  // namespace vlsi
