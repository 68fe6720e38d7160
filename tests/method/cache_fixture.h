// A teacher cache of the fixture's two batches, in a folder of its own.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "method/cache_writer.h"
#include "method/teacher.h"
#include "tests/method/method_fixture.h"
#include "tests/support/errors.h"

namespace vlsi::cache_fixture {

namespace fs = std::filesystem;
using method_fixture::load_batch;
using method_fixture::Speaker;

/// Removed at the end.
class Folder {
 public:
  Folder() {
    static int counter = 0;
    path_ = fs::path(testing::TempDir()) / concat("vlsi_cache_", ::getpid(), "_", counter++);
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

inline std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_text(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// Student and teacher of the fixture, untrained.
struct Pair {
  Speaker student{"student"}, teacher{"teacher"};

  Teacher live() const { return live_teacher(teacher.model, teacher.verbalizers, student.model); }
  CacheOrigin origin() const {
    CacheOrigin origin{"a tokenizer", "a template", "pictures", "a teacher", "verbalizers", "a head", "float32", {}, 0, 0};
    origin.layers = teacher.verbalizers->layers();
    origin.width = student.model->head().size(1);
    origin.vocab_size = 320;
    return origin;
  }
};

inline const Pair& pair() {
  static const Pair pair;
  return pair;
}

inline constexpr int64_t kLarge = int64_t{1} << 30;

/// A complete cache of both batches; a small `shard_bytes` gives each its own shard.
inline void write_cache(const fs::path& directory, int64_t shard_bytes = kLarge) {
  CacheWriter writer(directory, pair().origin(), shard_bytes);
  const auto teacher = pair().live();
  for (const int i : {0, 1}) {
    const auto batch = load_batch(i);
    if (!writer.has(batch)) writer.add(batch, teacher.summarize(batch));
  }
  writer.finish();
}

}  // namespace vlsi::cache_fixture
