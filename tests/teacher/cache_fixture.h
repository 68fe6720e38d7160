// A teacher cache of the fixture's two batches, in a folder of its own.
#pragma once

#include <filesystem>

#include "teacher/cache_writer.h"
#include "teacher/teacher.h"
#include "tests/method/method_fixture.h"
#include "tests/support/errors.h"
#include "tests/support/files.h"

namespace vlsi::cache_fixture {

namespace fs = std::filesystem;
using method_fixture::load_batch;
using method_fixture::stored_speaker;

/// Student and teacher of the fixture, untrained.
struct Pair {
  Speaker student = stored_speaker("student"), teacher = stored_speaker("teacher");

  Teacher live() const { return live_teacher(teacher.model, teacher.verbalizers, student.model, kAllIds); }
  CacheOrigin origin() const {
    CacheOrigin origin{"a tokenizer",
                       "a template",
                       "pictures",
                       "another tokenizer",
                       "another template",
                       "others",
                       "a teacher",
                       "verbalizers",
                       "a head",
                       "float32",
                       {},
                       0,
                       0};
    origin.layers = teacher.verbalizers->layers();
    origin.width = student.model->head().size(1);
    origin.shared_rows = 320;
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
