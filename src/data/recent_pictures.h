// The patches of the pictures that were read last: questions about one picture mostly follow each other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "data/conversation.h"
#include "data/sample.h"

namespace vlsi {

/// May be used from several threads at once.
class RecentPictures {
 public:
  static constexpr int64_t kCapacityBytes = int64_t{32} << 20;

  explicit RecentPictures(int64_t capacity_bytes = kCapacityBytes) : capacity_bytes_(capacity_bytes) {}

  /// What `read` makes of the picture of `content`, in a conversation of `num_pictures`, or what it made the last time
  /// if that is kept and the file has the same size and time of change. Pictures that a record holds itself are always
  /// read. The patches are shared: nobody may change them.
  PicturePatches of(const Content& content, size_t num_pictures, const std::function<PicturePatches()>& read);

 private:
  /// All that the patches of one processor depend on.
  struct Key {
    std::filesystem::path file;
    uintmax_t num_bytes;
    std::filesystem::file_time_type changed;
    PictureLimits limits;
    size_t num_pictures;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const { return std::hash<std::string>()(key.file.native()); }
  };
  struct Entry {
    Key key;
    PicturePatches patches;
  };
  static std::optional<Key> key_of(const Content& content, size_t num_pictures);

  const int64_t capacity_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the one used last in front
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> places_;
  int64_t size_bytes_ = 0;
};

}  // namespace vlsi
