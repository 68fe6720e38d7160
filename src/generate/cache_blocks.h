// Which blocks of a key/value cache are in use, by how many sequences, and which hold a known beginning.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

namespace vlsi {

/// What a full block holds: a hash over the tokens of its sequence from the first one to its last, with their positions
/// and pictures.
using BlockKey = uint64_t;

/// A block that nobody uses keeps its contents, to be found by its key, until its place is needed: the one that has
/// been unused for longest goes first.
class CacheBlocks {
 public:
  explicit CacheBlocks(int64_t num_blocks);

  /// How many `take` can give.
  int64_t num_free() const { return static_cast<int64_t>(empty_.size() + unused_.size()); }

  /// A block for one user, its contents undefined; nothing when all are in use.
  std::optional<int32_t> take();
  /// One user more, and one fewer.
  void share(int32_t block);
  void release(int32_t block);
  /// Of each block of a sequence one user fewer, the last one first: a block is found behind those before it alone, so
  /// that of what nobody uses the end goes before the beginning.
  void release_all(const std::vector<int32_t>& blocks);
  bool is_shared(int32_t block) const { return blocks_[block].num_users > 1; }

  /// From now on `block` can be found by `key`, unless another one can.
  void remember(int32_t block, BlockKey key);
  bool knows(BlockKey key) const { return by_key_.contains(key); }
  /// The block with these contents, for one user more.
  std::optional<int32_t> find(BlockKey key);

 private:
  struct Block {
    int64_t num_users = 0;
    std::optional<BlockKey> key;
    std::list<int32_t>::iterator place;  // in unused_, where it is there
  };
  std::vector<Block> blocks_;
  std::vector<int32_t> empty_;  // without contents, the lowest index last
  std::list<int32_t> unused_;   // with contents and without users, the longest unused one first
  std::unordered_map<BlockKey, int32_t> by_key_;
};

}  // namespace vlsi
